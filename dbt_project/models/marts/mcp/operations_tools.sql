{{ config(materialized='view', settings={}) }}
-- One row per tool_name, over all organizations: for operators. It has no tenant_id, so no analyst of one tenant sees
-- it.
select
    calls.tool_name as tool_name,
    uniqExact(calls.tenant_id) as organizations_count,
    uniqExact(calls.tenant_id, calls.server_id) as servers_count,
    sum(calls.calls_count) as calls_count,
    {{ success_rate('sum(calls.succeeded_count)', 'sum(calls.failed_count)') }} as success_rate,
    uniqExactIf((calls.tenant_id, identities.user_id), calls.distinct_id != '') as users_count,
    {{ mean_of_arrays('calls.response_times_ms') }} as average_response_time_ms
from {{ ref('int_mcp_id_days') }} as calls
left join {{ ref('identities') }} as identities
    on calls.tenant_id = identities.tenant_id and calls.distinct_id = identities.distinct_id
group by tool_name
