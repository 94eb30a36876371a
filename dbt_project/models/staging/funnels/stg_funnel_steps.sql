-- One row per (tenant_id, funnel_id, step_number): the definitions as they hold for each tenant. Of several loads that
-- define one funnel the latest speaks, as a whole; a loaded funnel replaces the seed's of the same tenant and id; a
-- tenant's own replaces the one for everybody. A definition that is deleted holds as well: as no funnel.
{% set fields = ['name', 'step_number', 'step_name', 'event', 'event_filter', 'window_seconds', 'mode'] %}
with defined as (
    select
        steps.tenant_id as tenant_id,
        steps.funnel_id as funnel_id,
        steps.{{ fields | join(',\n        steps.') }},
        steps.line as line,
        steps.is_deleted as is_deleted,
        loads.load_order as load_order
    from {{ source('raw', 'funnel_steps') }} as steps
    inner join {{ ref('stg_loads') }} as loads on steps.load_id = loads.load_id
    where loads.table_name = 'funnel_steps' and loads.is_live
    union all
    select
        tenant_id,
        funnel_id,
        {{ fields | join(',\n        ') }},
        0 as line,
        0 as is_deleted,
        0 as load_order
    from {{ ref('funnel_definitions') }}
),

latest as (
    select *
    from defined
    qualify load_order = max(load_order) over (partition by tenant_id, funnel_id)
),

per_tenant as (
    select
        arrayJoin(
            if(tenant_id = '', (select groupArray(tenant_id) from {{ ref('int_tenants') }}), [tenant_id])
        ) as for_tenant_id,
        tenant_id = '' as is_for_all,
        funnel_id,
        {{ fields | join(',\n        ') }},
        line,
        is_deleted
    from latest
),

holding as (
    select *
    from per_tenant
    qualify is_for_all = min(is_for_all) over (partition by for_tenant_id, funnel_id)
),

-- a step that is defined twice in one file: the last line holds
steps as (
    select
        for_tenant_id as tenant_id,
        funnel_id,
        {{ fields | join(',\n        ') }}
    from holding
    where (for_tenant_id, funnel_id) not in (select for_tenant_id, funnel_id from holding where is_deleted)
    order by line desc, step_name, event, event_filter
    limit 1 by tenant_id, funnel_id, step_number
)

select
    steps.tenant_id as tenant_id,
    steps.funnel_id as funnel_id,
    -- numbers are 1..n whatever gaps a definition leaves; what belongs to the whole funnel is what its first step says
    cast(row_number() over in_order, 'UInt16') as step_number,
    first_value(steps.name) over in_order as name,
    steps.step_name as step_name,
    steps.event as event,
    steps.event_filter as event_filter,
    first_value(
        if(steps.window_seconds = 0, {{ var('default_funnel_window_seconds') }}, steps.window_seconds)
    ) over in_order as window_seconds,
    first_value(cast(if(steps.mode = '', 'ordered', steps.mode), 'String')) over in_order as mode
from steps
window in_order as (partition by steps.tenant_id, steps.funnel_id order by steps.step_number)
