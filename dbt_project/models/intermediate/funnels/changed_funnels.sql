{{ config(order_by=['tenant_id', 'funnel_id']) }}
-- One row per funnel whose definition came, went or changed since the last build: all it ever counted is worked out
-- again. Earlier in the graph than `funnel_steps`, so that it still finds the definitions of the last build there.
{% set columns = {
    'tenant_id': 'String', 'funnel_id': 'String', 'step_number': 'UInt16', 'name': 'String', 'step_name': 'String',
    'event': 'String', 'event_filter': 'String', 'window_seconds': 'UInt32', 'mode': 'String'
} %}
with definitions as (
    select
        'now' as side,
        {{ columns | join(',\n        ') }}
    from {{ ref('stg_funnel_steps') }}
    union all
    select
        'before' as side,
        {{ columns | join(',\n        ') }}
    from {{ before('funnel_steps', columns) }}
),

funnels as (
    select
        side,
        tenant_id,
        funnel_id,
        arraySort(
            groupArray((step_number, name, step_name, event, event_filter, window_seconds, mode))
        ) as definition
    from definitions
    group by side, tenant_id, funnel_id
)

select
    tenant_id,
    funnel_id
from funnels
group by tenant_id, funnel_id
having count() = 1 or uniqExact(definition) > 1
