{{ config(meta={'dagster': {'ref': {'name': 'users'}}}) }}
with totals as (
    select
        tenant_id,
        user_id,
        events_count,
        pageviews_count,
        sessions_count,
        lifetime_value
    from {{ ref('users') }}
    where {{ of_this_build() }}
),

days as (
    select
        tenant_id,
        user_id,
        sum(events_count) as events_count,
        sum(pageviews_count) as pageviews_count,
        sum(sessions_count) as sessions_count,
        sum(revenue) as revenue
    from {{ ref('user_days') }}
    where {{ among(['tenant_id', 'user_id'], 'totals') }}
    group by tenant_id, user_id
)

select
    totals.tenant_id as tenant_id,
    totals.user_id as user_id,
    totals.events_count as events_count,
    days.events_count as events_of_days_count
from totals
left join days on totals.tenant_id = days.tenant_id and totals.user_id = days.user_id
where
    totals.events_count != days.events_count
    or totals.pageviews_count != days.pageviews_count
    or totals.sessions_count != days.sessions_count
    or totals.lifetime_value != days.revenue
