{{ config(meta={'dagster': {'ref': {'name': 'funnel_conversions_daily'}}}) }}
with figures as (
    select
        tenant_id,
        funnel_id,
        entry_date,
        step_number,
        users_count
    from {{ ref('funnel_conversions_daily') }}
    where {{ of_this_build() }}
),

people as (
    select
        tenant_id,
        funnel_id,
        entry_date,
        step_number,
        count() as users_count
    from {{ ref('funnel_events') }}
    where (tenant_id, funnel_id, entry_date) in (select tenant_id, funnel_id, entry_date from figures)
    group by tenant_id, funnel_id, entry_date, step_number
)

select
    tenant_id,
    funnel_id,
    entry_date,
    step_number
from (
    select * from figures
    where users_count > 0
    union all
    select * from people
)
group by tenant_id, funnel_id, entry_date, step_number
having count() != 2 or uniqExact(users_count) != 1
