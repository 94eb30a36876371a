{{ config(order_by=['tenant_id', 'date']) }}
-- One row per day whose sessions changed, or whose figures are kept as they were, or are not any more.
select
    tenant_id,
    session_date as date
from {{ ref('changed_session_rows') }}
union distinct
select
    tenant_id,
    date
from {{ ref('stg_kept_session_stats') }}
where was_kept != is_kept
