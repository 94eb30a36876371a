{{ config(materialized='view', settings={}) }}
-- One row per (tenant_id, month) with a call. A person who called in the month is paid for once in the whole
-- organization, however many of its servers they called; a connection alone is paid for by nobody. Every call is paid
-- for, failed ones and those of nobody too. The prices are those that hold on the first of the month: the tenant's own
-- if it has any, else those of all.
with months as (
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

-- whose prices hold for a tenant
priced as (
    select
        months.tenant_id as tenant_id,
        months.month as month,
        months.active_users_count as active_users_count,
        months.calls_count as calls_count,
        if(months.tenant_id in (select tenant_id from {{ ref('mcp_prices') }}), months.tenant_id, '') as price_of
    from months
),

bills as (
    select
        priced.tenant_id as tenant_id,
        priced.month as month,
        priced.active_users_count as active_users_count,
        priced.calls_count as calls_count,
        priced.active_users_count * prices.per_active_user as subscription_revenue,
        priced.calls_count * prices.per_call as usage_revenue,
        prices.currency as currency
    from priced
    asof left join {{ ref('mcp_prices') }} as prices
        on priced.price_of = prices.tenant_id and priced.month >= prices.valid_from
)

select
    bills.tenant_id as tenant_id,
    bills.month as month,
    bills.active_users_count as active_users_count,
    bills.calls_count as calls_count,
    bills.subscription_revenue as subscription_revenue,
    bills.usage_revenue as usage_revenue,
    bills.subscription_revenue + bills.usage_revenue as total_revenue,
    bills.currency as currency,
    toUInt8(bills.month < toStartOfMonth(tenants.last_event_date)) as is_complete
from bills
left join {{ ref('int_tenants') }} as tenants on bills.tenant_id = tenants.tenant_id
