{{ config(meta={'dagster': {'ref': {'name': 'users'}}}) }}
with totals as (
    {% for mart in ['events_hourly', 'users', 'user_days', 'sessions'] -%}
    select
        tenant_id,
        '{{ mart }}' as mart,
        sum(events_count) as events_count
    from {{ ref(mart) }}
    {{ of_changed_tenants() }}
    group by tenant_id
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    tenant_id,
    groupArray((mart, events_count)) as events_by_mart
from totals
group by tenant_id
having uniqExact(events_count) > 1 or count() < 4
