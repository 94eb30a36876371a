{{ config(order_by=['tenant_id', 'distinct_id', 'connection_id']) }}
{% set changed = follow('changed_mcp_accounts', ['tenant_id', 'distinct_id']) %}
{% set id_days = ref('int_id_days') %}
-- One row per (tenant_id, distinct_id, connection_id), with the calls made in it: a call is in the latest connection of
-- its account to its server that had begun and was not over, or in none.
with events as {{ once() if is_incremental() }} (
    select
        tenant_id,
        distinct_id,
        event,
        timestamp,
        JSONExtractString(properties, 'server_id') as server_id,
        JSONExtractString(properties, 'connection_id') as connection_id,
        JSONExtract(properties, 'success', 'Nullable(Bool)') as success
    from {{ ref('int_events') }}
    where
        event in ('mcp_connected', 'mcp_tool_call')
        and distinct_id != ''
        {% if is_incremental() -%}
        and (tenant_id, event_date, session_key) in (
            select tenant_id, event_date, session_key
            from {{ id_days }}
            where {{ among(['tenant_id', 'distinct_id'], ref('changed_mcp_accounts')) }}
        )
        {%- endif %}
        {{ changed }}
),

said as (
    select connection_id, provider, expires_at, revoked_at
    from {{ ref('stg_mcp_connections') }}
    {% if is_incremental() -%}
    where connection_id in (select connection_id from events where event = 'mcp_connected')
    {%- endif %}
),

connections as (
    select
        events.tenant_id as tenant_id,
        events.distinct_id as distinct_id,
        events.connection_id as connection_id,
        events.server_id as server_id,
        said.provider as provider,
        events.timestamp as connected_at,
        said.expires_at as expires_at,
        said.revoked_at as revoked_at,
        least(said.expires_at, said.revoked_at) as first_end,
        coalesce(first_end, said.expires_at, said.revoked_at) as ended_at
    from events
    left join said on events.connection_id = said.connection_id
    where events.event = 'mcp_connected'
),

-- of two that begin at one moment, one can have calls
openings as (
    select
        tenant_id,
        distinct_id,
        server_id,
        connected_at,
        max(connection_id) as latest_id,
        argMax(ended_at, connection_id) as latest_end
    from connections
    group by tenant_id, distinct_id, server_id, connected_at
),

calls as (
    select
        tenant_id,
        distinct_id,
        server_id,
        success,
        timestamp
    from events
    where event = 'mcp_tool_call'
),

called as (
    select
        calls.tenant_id as tenant_id,
        calls.distinct_id as distinct_id,
        openings.latest_id as connection_id,
        count() as calls_count,
        countIf(calls.success = 0) as failed_calls_count,
        max(calls.timestamp) as last_call_at
    from calls
    asof left join openings
        on
            calls.tenant_id = openings.tenant_id
            and calls.distinct_id = openings.distinct_id
            and calls.server_id = openings.server_id
            and calls.timestamp >= openings.connected_at
    where openings.latest_id != '' and (openings.latest_end is null or calls.timestamp < openings.latest_end)
    group by tenant_id, distinct_id, connection_id
)

select
    connections.tenant_id as tenant_id,
    connections.distinct_id as distinct_id,
    connections.connection_id as connection_id,
    connections.server_id as server_id,
    connections.provider as provider,
    connections.connected_at as connected_at,
    connections.expires_at as expires_at,
    connections.revoked_at as revoked_at,
    connections.ended_at as ended_at,
    called.calls_count as calls_count,
    called.failed_calls_count as failed_calls_count,
    if(called.calls_count = 0, null, called.last_call_at) as last_call_at,
    {{ build_seq() }} as _build_seq
from connections
left join called
    on
        connections.tenant_id = called.tenant_id
        and connections.distinct_id = called.distinct_id
        and connections.connection_id = called.connection_id
