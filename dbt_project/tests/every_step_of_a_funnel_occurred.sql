{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'funnel_steps'}}}) }}
-- A step that no event ever met: its event or a property of its filter is misspelt, not sent any more or not sent yet,
-- or the filter cannot be read. Only steps that nobody reached are looked for among the events. A funnel of the seed
-- for all tenants is not meant for a tenant where none of its steps ever was.
with unreached as (
    select
        tenant_id,
        funnel_id,
        step_number,
        step_name,
        event,
        event_filter
    from {{ ref('funnel_steps') }}
    where (tenant_id, funnel_id, step_number) not in (
        select tenant_id, funnel_id, step_number from {{ ref('funnel_conversions_daily') }} where users_count > 0
    )
),

occurred as (
    select tenant_id, funnel_id, step_number
    from {{ ref('int_funnel_matches') }}
    where (tenant_id, funnel_id) in (select tenant_id, funnel_id from unreached)
)

select
    tenant_id,
    funnel_id,
    step_number,
    step_name,
    event,
    event_filter
from unreached
where
    (tenant_id, funnel_id, step_number) not in (select tenant_id, funnel_id, step_number from occurred)
    and (
        (tenant_id, funnel_id) in (select tenant_id, funnel_id from occurred)
        or funnel_id not in (select funnel_id from {{ ref('funnel_definitions') }} where tenant_id = '')
    )
