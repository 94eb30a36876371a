{{ config(meta={'dagster': {'ref': {'name': 'session_stats_daily'}}}) }}
{% set marts = ['users', 'session_stats_daily'] %}
with totals as (
    select tenant_id, toInt64(sessions_count) as more_by_person
    from {{ ref('users') }}
    {{ of_changed_tenants(marts) }}
    union all
    select tenant_id, -toInt64(sessions_count) as more_by_person
    from {{ ref('session_stats_daily') }}
    {{ of_changed_tenants(marts) }}
    union all
    -- days whose events are cut are of no person any more
    select tenant_id, toInt64(sessions_count) as more_by_person
    from {{ ref('stg_kept_session_stats') }}
    where
        is_kept
        and tenant_id in (select tenant_id from {{ ref('session_stats_daily') }} {{ of_changed_tenants(marts) }})
)

select
    tenant_id,
    sum(more_by_person) as more_sessions_by_person
from totals
group by tenant_id
having more_sessions_by_person != 0
