{{ config(materialized='view', settings={}) }}
-- One row per tool call (tenant_id, date, call_id), with its person.
select
    tenant_id,
    event_date as date,
    event_id as call_id,
    timestamp,
    JSONExtractString(properties, 'server_id') as server_id,
    JSONExtractString(properties, 'tool_name') as tool_name,
    distinct_id as account_id,
    user_id,
    JSONExtract(properties, 'success', 'Nullable(Bool)') as is_success,
    JSONExtract(properties, 'response_time_ms', 'Nullable(Int64)') as response_time_ms,
    JSONExtractString(properties, 'error_message') as error_message,
    session_id
from {{ ref('events') }}
where event = 'mcp_tool_call'
