{{ config(materialized='view', settings={}) }}
-- One row per (tenant_id, user_id): a person who called or connected, however many servers and accounts. No email.
with calls as ({{ calls_of_people() }}),

called as (
    select
        tenant_id,
        user_id,
        min(first_at) as first_called_at,
        max(last_at) as last_called_at,
        uniqExact(date) as active_days_count,
        groupUniqArray(server_id) as servers,
        sum(calls_count) as calls_count,
        sum(failed_count) as failed_calls_count,
        argMin(tool_name, (first_at, tool_name)) as first_tool,
        arraySort(groupUniqArray(tool_name)) as tools
    from calls
    group by tenant_id, user_id
),

connected as (
    select
        tenant_id,
        user_id,
        count() as connections_count,
        groupUniqArray(server_id) as servers,
        max(connected_at) as last_connected_at
    from {{ ref('mcp_connections') }}
    group by tenant_id, user_id
),

-- that of the account that was there first
accounts as (
    select
        accounts.tenant_id as tenant_id,
        identities.user_id as user_id,
        argMin(
            accounts.source_tracking_id, ({{ unknown_last('accounts.first_seen_at') }}, accounts.distinct_id)
        ) as source_tracking_id
    from {{ ref('int_accounts') }} as accounts
    inner join {{ ref('identities') }} as identities
        on accounts.tenant_id = identities.tenant_id and accounts.distinct_id = identities.distinct_id
    group by tenant_id, user_id
),

people as (
    select tenant_id, user_id from called
    union distinct
    select tenant_id, user_id from connected
)

select
    people.tenant_id as tenant_id,
    people.user_id as user_id,
    users.tracking_id as tracking_id,
    accounts.source_tracking_id as source_tracking_id,
    users.first_seen_at as first_seen_at,
    if(called.calls_count = 0, null, called.first_called_at) as first_called_at,
    greatest(called.last_called_at, connected.last_connected_at) as last_active_at,
    called.active_days_count as active_days_count,
    length(arrayDistinct(arrayConcat(called.servers, connected.servers))) as servers_count,
    connected.connections_count as connections_count,
    users.sessions_count as sessions_count,
    called.calls_count as calls_count,
    called.failed_calls_count as failed_calls_count,
    called.first_tool as first_tool,
    called.tools as tools
from people
inner join {{ ref('users') }} as users on people.tenant_id = users.tenant_id and people.user_id = users.user_id
left join called on people.tenant_id = called.tenant_id and people.user_id = called.user_id
left join connected on people.tenant_id = connected.tenant_id and people.user_id = connected.user_id
left join accounts on people.tenant_id = accounts.tenant_id and people.user_id = accounts.user_id
