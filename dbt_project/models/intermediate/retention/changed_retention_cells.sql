{{ config(order_by=['tenant_id', 'retention_id', 'cohort_date', 'period_number']) }}
-- One row per cell of `retention` that differs from before this build, as it is now (`is_there` 0: it is no more):
-- people have moved in or out, its definition has changed, or the tenant's last event has moved on, which makes cells
-- appear and become complete.
with moves as (
    select
        tenant_id,
        retention_id,
        cohort_date,
        period_number,
        people_count
    from {{ ref('changed_retention_moves') }}
),

definitions as (
    select
        tenant_id,
        retention_id,
        period,
        is_current,
        is_changed
    from {{ ref('changed_retention_definitions') }}
),

before as (
    select
        tenant_id,
        retention_id,
        cohort_date,
        period_number,
        users_count,
        retained_count,
        is_complete
    from {{ before('retention', {
        'tenant_id': 'String', 'retention_id': 'String', 'cohort_date': 'Date', 'period_number': 'UInt16',
        'users_count': 'UInt64', 'retained_count': 'UInt64', 'is_complete': 'UInt8'
    }) }}
),

-- where each definition's periods end, now and before
ends as {{ once() }} (
    select
        definitions.tenant_id as tenant_id,
        definitions.retention_id as retention_id,
        definitions.period as period,
        {{ period_number_of('tenants.last_event_date', 'period') }} as last_period,
        {{ period_number_of('tenants._previous_last_event_date', 'period') }} as previous_last_period
    from definitions
    inner join {{ ref('int_tenants') }} as tenants on definitions.tenant_id = tenants.tenant_id
    where definitions.is_current
),

changed_cohorts as {{ once() }} (
    select tenant_id, retention_id, cohort_date
    from moves
    union distinct
    select tenant_id, retention_id, cohort_date
    from before
    where (tenant_id, retention_id) in (select tenant_id, retention_id from definitions where is_changed)
    union distinct
    select before.tenant_id as tenant_id, before.retention_id as retention_id, before.cohort_date as cohort_date
    from before
    inner join ends on before.tenant_id = ends.tenant_id and before.retention_id = ends.retention_id
    where
        ends.last_period != ends.previous_last_period
        and {{ period_number_of('before.cohort_date', 'ends.period') }} + {{ last_period_number('ends.period') }}
        >= least(ends.last_period, ends.previous_last_period)
),

old_cells as (
    select
        tenant_id,
        retention_id,
        cohort_date,
        period_number,
        users_count,
        retained_count,
        is_complete
    from before
    where (tenant_id, retention_id, cohort_date) in (select tenant_id, retention_id, cohort_date from changed_cohorts)
),

counts as {{ once() }} (
    select
        tenant_id,
        retention_id,
        cohort_date,
        period_number,
        sum(people_count) as people_count
    from (
        select tenant_id, retention_id, cohort_date, period_number, people_count
        from moves
        union all
        select tenant_id, retention_id, cohort_date, period_number, toInt64(retained_count) as people_count
        from old_cells
        where (tenant_id, retention_id) not in (select tenant_id, retention_id from definitions where is_changed)
    )
    group by tenant_id, retention_id, cohort_date, period_number
    having people_count != 0
),

cohorts as (
    select
        counts.tenant_id as tenant_id,
        counts.retention_id as retention_id,
        counts.cohort_date as cohort_date,
        toUInt64(counts.people_count) as users_count,
        ends.last_period - {{ period_number_of('counts.cohort_date', 'ends.period') }} as periods_seen,
        {{ last_period_number('ends.period') }} as periods_followed
    from counts
    inner join ends on counts.tenant_id = ends.tenant_id and counts.retention_id = ends.retention_id
    where counts.period_number = 0
),

-- every period of every cohort, also those in which nobody came back
grid as (
    select
        tenant_id,
        retention_id,
        cohort_date,
        toUInt16(arrayJoin(range(toUInt32(least(periods_seen, periods_followed) + 1)))) as period_number,
        users_count,
        period_number < periods_seen as is_complete
    from cohorts
),

new_cells as (
    select
        grid.tenant_id as tenant_id,
        grid.retention_id as retention_id,
        grid.cohort_date as cohort_date,
        grid.period_number as period_number,
        grid.users_count as users_count,
        toUInt64(counts.people_count) as retained_count,
        grid.is_complete as is_complete
    from grid
    left join counts
        on
            grid.tenant_id = counts.tenant_id
            and grid.retention_id = counts.retention_id
            and grid.cohort_date = counts.cohort_date
            and grid.period_number = counts.period_number
)

select
    tenant_id,
    retention_id,
    cohort_date,
    period_number,
    maxIf(images.users_count, is_now) as users_count,
    maxIf(images.retained_count, is_now) as retained_count,
    maxIf(images.is_complete, is_now) as is_complete,
    max(is_now) as is_there
from (
    select *, 1 as is_now from new_cells
    union all
    select *, 0 as is_now from old_cells
) as images
group by tenant_id, retention_id, cohort_date, period_number
having
    uniqExact(is_now) < 2
    or users_count != maxIf(images.users_count, not is_now)
    or retained_count != maxIf(images.retained_count, not is_now)
    or is_complete != maxIf(images.is_complete, not is_now)
    -- retention_cohorts asks for the period, too, and a cell may say the same of a week as of a day
    or (tenant_id, retention_id) in (
        select tenant_id, retention_id from definitions where is_changed
    )
