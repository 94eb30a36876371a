{{ config(order_by=['tenant_id', 'distinct_id', 'event_date', 'session_key', 'server_id', 'tool_name']) }}
{% set changed = follow('changed_events', ['tenant_id', 'distinct_id', 'event_date', 'session_key']) %}
-- One row per (tenant_id, distinct_id, event_date, session_key, server_id, tool_name): the calls of one id, or of
-- nobody. All figures of calls are worked out from here, and never through sessions. By id, so that a login rewrites no
-- call.
with calls as (
    select
        tenant_id,
        distinct_id,
        event_date,
        session_key,
        timestamp,
        JSONExtract(
            properties,
            'Tuple(server_id String, tool_name String, success Nullable(Bool), response_time_ms Nullable(Int64))'
        ) as call
    from {{ ref('int_events') }}
    where
        event = 'mcp_tool_call'
        {{ only_changed('changed_events', ['tenant_id', 'event_date', 'session_key']) }}
        {{ changed }}
)

select
    tenant_id,
    distinct_id,
    event_date,
    session_key,
    call.server_id as server_id,
    call.tool_name as tool_name,
    count() as calls_count,
    countIf(call.success = 1) as succeeded_count,
    countIf(call.success = 0) as failed_count,
    -- a NULL is no element
    arraySort(groupArray(call.response_time_ms)) as response_times_ms,
    min(timestamp) as first_at,
    max(timestamp) as last_at,
    {{ build_seq() }} as _build_seq
from calls
group by tenant_id, distinct_id, event_date, session_key, server_id, tool_name
