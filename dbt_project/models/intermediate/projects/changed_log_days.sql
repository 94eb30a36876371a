{{ config(order_by=['table_name', 'date']) }}
-- One row per (table_name, date) of which rows of a product's logs came or went in this build.
{% call changes() %}
select distinct
    table_name,
    toDate(parseDateTime64BestEffortOrZero(document['created_at'], 6, 'UTC')) as date
from {{ ref('stg_source_rows') }}
where
    table_name in ('audit_logs', 'system_logs', 'user_sessions', 'password_reset_tokens')
    and load_id in (select load_id from {{ ref('stg_loads') }} where table_name = 'source_rows' and change != '')
{% endcall %}
