{{ config(materialized='view', settings={}) }}
-- One row per (tenant_id, server_id, tool_name) that was ever called; a person counts once, on however many days.
select
    calls.tenant_id as tenant_id,
    calls.server_id as server_id,
    calls.tool_name as tool_name,
    sum(calls.calls_count) as calls_count,
    sum(calls.succeeded_count) as succeeded_count,
    sum(calls.failed_count) as failed_count,
    toUInt64(calls_count - succeeded_count - failed_count) as unknown_count,
    {{ success_rate('succeeded_count', 'failed_count') }} as success_rate,
    uniqExactIf(identities.user_id, calls.distinct_id != '') as users_count,
    if(
        sum(length(calls.response_times_ms)) = 0,
        null,
        sum(arraySum(calls.response_times_ms)) / sum(length(calls.response_times_ms))
    ) as average_response_time_ms,
    min(calls.first_at) as first_called_at,
    max(calls.last_at) as last_called_at
from {{ ref('int_mcp_id_days') }} as calls
left join {{ ref('identities') }} as identities
    on calls.tenant_id = identities.tenant_id and calls.distinct_id = identities.distinct_id
group by tenant_id, server_id, tool_name
