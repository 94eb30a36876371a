{{ config(meta={'dagster': {'ref': {'name': 'users'}}}) }}
{% set marts = ['events_hourly', 'users', 'user_days', 'sessions'] %}
with totals as (
    {% for mart in marts -%}
    select
        tenant_id,
        '{{ mart }}' as mart,
        -- events of nobody are in no other mart
        toInt64(
            sum({{ 'events_count - nobody_events_count' if mart == 'events_hourly' else 'events_count' }})
        ) as events
    from {{ ref(mart) }}
    {{ of_changed_tenants(marts) }}
    group by tenant_id
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    tenant_id,
    groupArray((mart, events)) as events_by_mart
from totals
group by tenant_id
having
    uniqExactIf(events, mart != 'sessions') > 1
    or (countIf(mart != 'sessions') < {{ marts | length }} - 1 and max(events) > 0)
    -- an event without a session id can be of no session
    or sumIf(events, mart = 'sessions') > sumIf(events, mart = 'users')
