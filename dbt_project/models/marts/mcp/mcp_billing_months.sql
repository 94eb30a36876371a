{{ config(materialized='view', settings={}) }}
-- One row per (tenant_id, month) with a call. A person who called in the month is paid for once in the whole
-- organization, however many of its servers they called; a connection alone is paid for by nobody, and stands beside.
-- Every call is paid for, failed ones and those of nobody too.
with called as (
    select
        calls.tenant_id as tenant_id,
        toStartOfMonth(calls.event_date) as month,
        uniqExactIf(identities.user_id, calls.distinct_id != '') as active_users_count,
        sum(calls.calls_count) as calls_count
    from {{ ref('int_mcp_id_days') }} as calls
    left join {{ ref('identities') }} as identities
        on calls.tenant_id = identities.tenant_id and calls.distinct_id = identities.distinct_id
    group by tenant_id, month
),

connected as (
    select
        tenant_id,
        toStartOfMonth(toDate(connected_at)) as month,
        uniqExact(user_id) as connected_users_count
    from {{ ref('mcp_connections') }}
    group by tenant_id, month
),

prices as ({{ mcp_prices_of('called') }})

select
    called.tenant_id as tenant_id,
    called.month as month,
    called.active_users_count as active_users_count,
    connected.connected_users_count as connected_users_count,
    called.calls_count as calls_count,
    called.active_users_count * prices.per_active_user as subscription_revenue,
    called.calls_count * prices.per_call as usage_revenue,
    subscription_revenue + usage_revenue as total_revenue,
    prices.currency as currency,
    toUInt8(called.month < toStartOfMonth(tenants.as_of_date)) as is_complete
from called
inner join prices on called.tenant_id = prices.tenant_id and called.month = prices.month
left join connected on called.tenant_id = connected.tenant_id and called.month = connected.month
left join {{ ref('tenants') }} as tenants on called.tenant_id = tenants.tenant_id
