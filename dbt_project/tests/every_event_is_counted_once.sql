{{ config(meta={'dagster': {'ref': {'name': 'users'}}}) }}
{% set marts = ['events_hourly', 'users', 'user_days', 'sessions'] %}
with totals as (
    {% for mart in marts -%}
    select
        tenant_id,
        '{{ mart }}' as mart,
        sum(events_count) as events_count
    from {{ ref(mart) }}
    {{ of_changed_tenants(marts) }}
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
