{{ config(meta={'dagster': {'ref': {'name': 'session_stats_daily'}}}) }}
-- What people spent is what the days of their sessions took in, per tenant in which this build changed
-- something, and to the last digit.
{% set of_changed_tenants = '' if is_full_build()
    else 'where tenant_id in (select tenant_id from ' ~ ref('changed_users') ~ ')' %}
with totals as (
    select
        tenant_id,
        lifetime_value as of_users,
        toDecimal128(0, 6) as of_days
    from {{ ref('users') }}
    {{ of_changed_tenants }}
    union all
    select
        tenant_id,
        toDecimal128(0, 6) as of_users,
        revenue as of_days
    from {{ ref('session_stats_daily') }}
    {{ of_changed_tenants }}
)

select
    tenant_id,
    sum(of_users) as revenue_of_users,
    sum(of_days) as revenue_of_days
from totals
group by tenant_id
having revenue_of_users != revenue_of_days
