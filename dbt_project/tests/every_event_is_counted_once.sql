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
    union all
    {% endfor -%}
    -- days whose events are cut are in no other mart
    select
        tenant_id,
        'events_hourly' as mart,
        -toInt64(sum(events_count - nobody_events_count)) as events
    from {{ ref('stg_kept_event_hours') }}
    where is_kept and tenant_id in (select tenant_id from {{ ref('events_hourly') }} {{ of_changed_tenants(marts) }})
    group by tenant_id
),

counts as (
    select
        tenant_id,
        mart,
        sum(totals.events) as events
    from totals
    group by tenant_id, mart
)

select
    tenant_id,
    groupArray((mart, events)) as events_by_mart
from counts
group by tenant_id
having
    uniqExactIf(events, mart != 'sessions') > 1
    or (countIf(mart != 'sessions') < {{ marts | length }} - 1 and max(events) > 0)
    -- an event without a session id can be of no session
    or sumIf(events, mart = 'sessions') > sumIf(events, mart = 'users')
