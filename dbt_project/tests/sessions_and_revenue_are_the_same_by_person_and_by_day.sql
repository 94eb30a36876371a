{{ config(meta={'dagster': {'ref': {'name': 'session_stats_daily'}}}) }}
{% set marts = ['users', 'session_stats_daily'] %}
with totals as (
    select
        tenant_id,
        toInt64(sessions_count) as more_by_person,
        lifetime_value as of_users,
        toDecimal128(0, 6) as of_days
    from {{ ref('users') }}
    {{ of_changed_tenants(marts) }}
    union all
    select
        tenant_id,
        -toInt64(sessions_count) as more_by_person,
        toDecimal128(0, 6) as of_users,
        revenue as of_days
    from {{ ref('session_stats_daily') }}
    {{ of_changed_tenants(marts) }}
)

select
    tenant_id,
    sum(more_by_person) as more_sessions_by_person,
    sum(of_users) as revenue_of_users,
    sum(of_days) as revenue_of_days
from totals
group by tenant_id
having more_sessions_by_person != 0 or revenue_of_users != revenue_of_days
