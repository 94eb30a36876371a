{{ config(order_by=['tenant_id', 'retention_id', 'cohort_date', 'period_number']) }}
-- One row per cell of `retention` with the number of people who came into it, less those who left it. People whose days
-- differ are taken out of the cells they were in and put into those they are in; of a changed definition everybody is
-- counted again, from nothing; so is everybody if the cells are rebuilt.
with definitions as (
    select
        tenant_id,
        retention_id,
        kind,
        period,
        {{ matcher_id('target_event', 'target_filter') }} as target_matcher_id,
        {{ matcher_id('return_event', 'return_filter') }} as return_matcher_id,
        is_current,
        {{ '1 as is_changed' if is_rebuilt() else 'is_changed' }}
    from {{ ref('changed_retention_definitions') }}
),

-- what happened to whom: of whole tenants for changed definitions, of changed people for the others
days as (
    select tenant_id, user_id, date, matcher_id, -1 as sign, 0 as is_changed
    from {{ ref('changed_retention_before') }}
    union all
    select tenant_id, user_id, date, matcher_id, 1 as sign, 0 as is_changed
    from {{ ref('int_retention_days') }}
    where
        {{ among(['tenant_id', 'user_id'], ref('changed_user_days')) }}
        and tenant_id in (select tenant_id from definitions where not is_changed)
    union all
    select tenant_id, user_id, date, matcher_id, 1 as sign, 1 as is_changed
    from {{ ref('int_retention_days') }}
    where tenant_id in (select tenant_id from definitions where is_changed and is_current)
),

activity as (
    select
        days.tenant_id as tenant_id,
        definitions.retention_id as retention_id,
        definitions.kind as kind,
        definitions.period as period,
        days.user_id as user_id,
        days.date as date,
        days.sign as sign,
        days.matcher_id = definitions.target_matcher_id as is_target,
        days.matcher_id = definitions.return_matcher_id as is_return
    from days
    inner join definitions on days.tenant_id = definitions.tenant_id and days.is_changed = definitions.is_changed
    where definitions.is_current and (is_target or is_return)
)

select
    tenant_id,
    retention_id,
    cohort_date,
    period_number,
    people_count
from (
    {{ retention_cells('activity') }}
)
