{{ config(materialized='view', settings={}) }}
-- One row per (tenant_id, server_id) that there is or was; zeros if nobody came. People are those who called or
-- connected, each once.
with identified as (
    select
        calls.tenant_id as tenant_id,
        calls.server_id as server_id,
        calls.tool_name as tool_name,
        identities.user_id as user_id,
        calls.calls_count as calls_count,
        calls.succeeded_count as succeeded_count,
        calls.failed_count as failed_count,
        calls.response_times_ms as response_times_ms
    from {{ ref('int_mcp_id_days') }} as calls
    left join {{ ref('identities') }} as identities
        on calls.tenant_id = identities.tenant_id and calls.distinct_id = identities.distinct_id
),

{{ top_tools('identified', ['tenant_id', 'server_id']) }},

called as (
    select
        tenant_id,
        server_id,
        sum(calls_count) as calls_count,
        {{ success_rate('sum(succeeded_count)', 'sum(failed_count)') }} as success_rate,
        {{ mean_of_arrays('response_times_ms') }} as average_response_time_ms,
        groupUniqArrayIf(user_id, user_id != '') as people
    from identified
    group by tenant_id, server_id
),

connected as (
    select
        connections.tenant_id as tenant_id,
        connections.server_id as server_id,
        count() as connections_count,
        countIf({{ is_open('connections.ended_at', 'tenants') }}) as open_connections_count,
        groupUniqArray(connections.user_id) as people
    from {{ ref('mcp_connections') }} as connections
    left join {{ ref('tenants') }} as tenants on connections.tenant_id = tenants.tenant_id
    group by tenant_id, server_id
)

select
    servers.tenant_id as tenant_id,
    servers.server_id as server_id,
    servers.slug as slug,
    servers.name as name,
    connected.connections_count as connections_count,
    connected.open_connections_count as open_connections_count,
    length(arrayDistinct(arrayConcat(called.people, connected.people))) as users_count,
    called.calls_count as calls_count,
    called.success_rate as success_rate,
    called.average_response_time_ms as average_response_time_ms,
    if(connections_count = 0, null, calls_count / connections_count) as calls_per_connection,
    top_tools.top_tools as top_tools
from {{ ref('mcp_servers') }} as servers
left join called on servers.tenant_id = called.tenant_id and servers.server_id = called.server_id
left join connected on servers.tenant_id = connected.tenant_id and servers.server_id = connected.server_id
left join top_tools on servers.tenant_id = top_tools.tenant_id and servers.server_id = top_tools.server_id
