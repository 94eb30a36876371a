{{ config(materialized='view', settings={}) }}
-- One row per (tenant_id, month, server_id) with a call: the bill of the organization, by server. The price of a person
-- is split evenly, to the cent, over the servers that they called in the month; what is left over goes to the one whose
-- id comes first. So the rows of a month add up to its bill.
with months as (
    select
        calls.tenant_id as tenant_id,
        toStartOfMonth(calls.event_date) as month,
        calls.server_id as server_id,
        uniqExactIf(identities.user_id, calls.distinct_id != '') as active_users_count,
        sum(calls.calls_count) as calls_count,
        groupUniqArrayIf(identities.user_id, calls.distinct_id != '') as people
    from {{ ref('int_mcp_id_days') }} as calls
    left join {{ ref('identities') }} as identities
        on calls.tenant_id = identities.tenant_id and calls.distinct_id = identities.distinct_id
    group by tenant_id, month, server_id
),

prices as ({{ mcp_prices_of('months') }}),

people as (
    select
        tenant_id,
        month,
        arrayJoin(people) as user_id,
        server_id
    from months
),

-- in cents: what each server has of a person, and what is left over
shares as (
    select
        people.tenant_id as tenant_id,
        people.month as month,
        groupArray(people.server_id) as servers,
        toInt64(any(prices.per_active_user) * 100) as cents,
        intDiv(cents, toInt64(length(servers))) as share,
        arrayMap(
            server -> (server, share + if(server = arrayMin(servers), cents - share * toInt64(length(servers)), 0)),
            servers
        ) as parts
    from people
    inner join prices on people.tenant_id = prices.tenant_id and people.month = prices.month
    group by tenant_id, month, people.user_id
),

subscriptions as (
    select
        tenant_id,
        month,
        part.1 as server_id,
        sum(part.2) as cents
    from shares
    array join parts as part
    group by tenant_id, month, server_id
)

select
    months.tenant_id as tenant_id,
    months.month as month,
    months.server_id as server_id,
    months.active_users_count as active_users_count,
    months.calls_count as calls_count,
    months.calls_count * prices.per_call as usage_revenue,
    toDecimal128(subscriptions.cents, 6) / 100 as subscription_share,
    prices.currency as currency
from months
inner join prices on months.tenant_id = prices.tenant_id and months.month = prices.month
left join subscriptions
    on
        months.tenant_id = subscriptions.tenant_id
        and months.month = subscriptions.month
        and months.server_id = subscriptions.server_id
