{{ config(materialized='view', settings={}) }}
-- One row per (tenant_id, date, server_id, tool_name) with a call. A view of what each id did, so that a login, which
-- changes who is whom on all days, rewrites nothing.
select
    calls.tenant_id as tenant_id,
    calls.event_date as date,
    calls.server_id as server_id,
    calls.tool_name as tool_name,
    sum(calls.calls_count) as calls_count,
    sum(calls.succeeded_count) as succeeded_count,
    sum(calls.failed_count) as failed_count,
    toUInt64(calls_count - succeeded_count - failed_count) as unknown_count,
    {{ success_rate('succeeded_count', 'failed_count') }} as success_rate,
    uniqExactIf(identities.user_id, calls.distinct_id != '') as users_count,
    sum(arraySum(calls.response_times_ms)) as response_time_ms_sum,
    sum(length(calls.response_times_ms)) as response_times_count,
    {{ exact_quantile(0.5, 'calls.response_times_ms') }} as median_response_time_ms,
    {{ exact_quantile(0.95, 'calls.response_times_ms') }} as p95_response_time_ms
from {{ ref('int_mcp_id_days') }} as calls
left join {{ ref('identities') }} as identities
    on calls.tenant_id = identities.tenant_id and calls.distinct_id = identities.distinct_id
group by tenant_id, date, server_id, tool_name
