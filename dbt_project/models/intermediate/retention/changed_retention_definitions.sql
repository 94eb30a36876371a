{{ config(order_by=['tenant_id', 'retention_id']) }}
-- One row per definition in force for a tenant, now or before this build: a tenant's own goes before the one for all
-- tenants. `is_changed`: it counts other people than before, so its cells are worked out again as a whole.
{% set rule = ['kind', 'period', 'target_event', 'target_filter', 'return_event', 'return_filter'] %}
with definitions as (
    select
        tenant_id,
        retention_id,
        kind,
        period,
        target_event,
        if(target_filter in ('', '{}'), '', target_filter) as target_filter,
        return_event,
        if(return_filter in ('', '{}'), '', return_filter) as return_filter,
        is_deleted
    from {{ ref('stg_retention_definitions') }}
    where kind in ('first_time', 'recurring') and period in ('day', 'week', 'month')
),

in_force as (
    select
        tenants.tenant_id as tenant_id,
        definitions.retention_id as retention_id,
        argMax(tuple({{ rule | join(', ') }}), definitions.tenant_id) as rule
    from {{ ref('int_tenants') }} as tenants
    cross join definitions
    where definitions.tenant_id in ('', tenants.tenant_id)
    group by tenant_id, retention_id
    having not argMax(definitions.is_deleted, definitions.tenant_id)
),

images as (
    select tenant_id, retention_id, rule, 1 as is_now
    from in_force
    union all
    select tenant_id, retention_id, tuple({{ rule | join(', ') }}) as rule, 0 as is_now
    from {{ before('int_retention_definitions', {
        'tenant_id': 'String', 'retention_id': 'String', 'kind': 'String', 'period': 'String',
        'target_event': 'String', 'target_filter': 'String', 'return_event': 'String', 'return_filter': 'String'
    }) }}
),

compared as (
    select
        tenant_id,
        retention_id,
        maxIf(rule, is_now) as rule_now,
        maxIf(rule, not is_now) as rule_before
    from images
    group by tenant_id, retention_id
)

select
    tenant_id,
    retention_id,
    {% for column in rule -%}
    rule_now.{{ loop.index }} as {{ column }},
    rule_before.{{ loop.index }} as {{ column }}_before,
    {% endfor -%}
    kind != '' as is_current,
    rule_now != rule_before as is_changed
from compared
