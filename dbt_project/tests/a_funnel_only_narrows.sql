{{ config(meta={'dagster': {'ref': {'name': 'funnel_conversions_daily'}}}) }}
with steps as (
    select
        tenant_id,
        funnel_id,
        entry_date,
        arraySort(groupArray((step_number, users_count))) as reached
    from {{ ref('funnel_conversions_daily') }}
    where {{ of_this_build() }}
    group by tenant_id, funnel_id, entry_date
)

select
    tenant_id,
    funnel_id,
    entry_date
from steps
where arrayExists((step, before) -> step.2 > before.2, arrayPopFront(reached), arrayPopBack(reached))
