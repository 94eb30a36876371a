{{ config(materialized='view', settings={}) }}
-- One row per tenant with servers, calls or connections. Calls are counted from calls: through the connections of
-- whoever called they would multiply by these, and take in calls of other organizations.
with identified as (
    select
        calls.tenant_id as tenant_id,
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

{{ top_tools('identified', ['tenant_id']) }},

called as (
    select
        tenant_id,
        sum(calls_count) as calls_count,
        {{ success_rate('sum(succeeded_count)', 'sum(failed_count)') }} as success_rate,
        {{ mean_of_arrays('response_times_ms') }} as average_response_time_ms,
        groupUniqArrayIf(user_id, user_id != '') as people
    from identified
    group by tenant_id
),

connected as (
    select
        connections.tenant_id as tenant_id,
        count() as connections_count,
        countIf({{ is_open('connections.ended_at', 'tenants') }}) as open_connections_count,
        groupUniqArray(connections.user_id) as people
    from {{ ref('mcp_connections') }} as connections
    left join {{ ref('tenants') }} as tenants on connections.tenant_id = tenants.tenant_id
    group by tenant_id
),

servers as (
    select
        tenant_id,
        countIf(not is_deleted) as servers_count
    from {{ ref('mcp_servers') }}
    group by tenant_id
),

organizations as (
    select tenant_id from servers
    union distinct
    select tenant_id from called
    union distinct
    select tenant_id from connected
)

select
    organizations.tenant_id as tenant_id,
    servers.servers_count as servers_count,
    connected.connections_count as connections_count,
    connected.open_connections_count as open_connections_count,
    length(arrayDistinct(arrayConcat(called.people, connected.people))) as users_count,
    called.calls_count as calls_count,
    called.success_rate as success_rate,
    called.average_response_time_ms as average_response_time_ms,
    if(connections_count = 0, null, calls_count / connections_count) as calls_per_connection,
    top_tools.top_tools as top_tools
from organizations
left join servers on organizations.tenant_id = servers.tenant_id
left join called on organizations.tenant_id = called.tenant_id
left join connected on organizations.tenant_id = connected.tenant_id
left join top_tools on organizations.tenant_id = top_tools.tenant_id
