{{ config(order_by=['tenant_id', 'date']) }}
-- One row per day whose sessions changed.
select distinct
    tenant_id,
    session_date as date
from {{ ref('changed_session_rows') }}
