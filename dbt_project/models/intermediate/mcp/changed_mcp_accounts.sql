{{ config(order_by=['tenant_id', 'distinct_id']) }}
-- One row per account whose connections, or the calls in them, can differ since the last build.
{% call changes() %}
with said_anew as (
    select document['account_id'] as account_id
    from {{ ref('stg_source_rows') }}
    where
        table_name = 'mcp_server_session'
        and load_id in (select load_id from {{ ref('stg_loads') }} where table_name = 'source_rows' and change != '')
)

select tenant_id, distinct_id
from {{ ref('changed_events') }}
where event in ('mcp_connected', 'mcp_tool_call') and distinct_id != ''
group by tenant_id, distinct_id
union distinct
select tenant_id, distinct_id
from {{ ref('int_id_days') }}
where distinct_id in (select account_id from said_anew)
group by tenant_id, distinct_id
{% endcall %}
