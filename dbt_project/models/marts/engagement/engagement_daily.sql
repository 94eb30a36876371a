{{ config(materialized='view', settings={}) }}
-- One row per (tenant_id, date), from the first active day to the tenant's as_of_date, quiet days included: how many
-- people were what on that day. Whatever somebody is, they are it from one day until another: one more on the first,
-- one less on the last, and the count of a day is the sum so far.
with active_days as ({{ active_days() }}),

bounds as (
    select
        active_days.tenant_id as tenant_id,
        min(active_days.date) as first_date,
        max(tenants.as_of_date) as last_date
    from active_days
    inner join {{ ref('tenants') }} as tenants on active_days.tenant_id = tenants.tenant_id
    group by tenant_id
),

-- each active day with the one before it and the one behind it; a person who never came back comes back at no time
days as (
    select
        tenant_id,
        user_id,
        date,
        lagInFrame(date, 1, toDate(0)) over person = toDate(0) as is_first,
        leadInFrame(date, 1, toDate('2149-06-06')) over person as next_date,
        date + {{ var('at_risk_after_days') }} + 1 as risk_date,
        date + {{ var('lapsed_after_days') }} + 1 as lapsed_date
    from active_days
    window person as (
        partition by tenant_id, user_id order by date asc rows between unbounded preceding and unbounded following
    )
),

-- the calls of the last days, wherever they change
call_changes as (
    select
        tenant_id,
        user_id,
        change.1 as day,
        sum(change.2) as difference
    from active_days
    array join
        [(date, toInt64(calls_count)), (date + {{ var('power_user_days') }}, -toInt64(calls_count))] as change
    where calls_count > 0
    group by tenant_id, user_id, day
),

recent_calls as (
    select
        tenant_id,
        user_id,
        day as from_date,
        sum(difference) over (
            partition by tenant_id, user_id order by day asc rows between unbounded preceding and current row
        ) as calls_count,
        leadInFrame(day, 1, day) over (
            partition by tenant_id, user_id order by day asc rows between unbounded preceding and unbounded following
        ) as until_date
    from call_changes
),

spans as (
    select
        tenant_id,
        span.1 as measure,
        span.2 as from_date,
        span.3 as until_date
    from days
    array join
        [
            ('active', date, date + 1),
            ('new', date, date + is_first),
            ('active_7d', date, least(next_date, date + 7)),
            ('active_30d', date, least(next_date, date + 30)),
            ('at_risk', risk_date, least(next_date, lapsed_date)),
            ('lapsed', lapsed_date, next_date)
        ] as span
    where span.2 < span.3
    union all
    select
        tenant_id,
        'power' as measure,
        from_date,
        until_date
    from recent_calls
    where calls_count > {{ var('power_user_calls') }}
),

calls as (
    select
        tenant_id,
        event_date as date,
        sum(calls_count) as calls_count
    from {{ ref('int_mcp_id_days') }}
    group by tenant_id, date
),

changes as (
    select
        tenant_id,
        change.1 as date,
        sumIf(change.2, measure = 'active') as active,
        sumIf(change.2, measure = 'active_7d') as active_7d,
        sumIf(change.2, measure = 'active_30d') as active_30d,
        sumIf(change.2, measure = 'new') as new,
        sumIf(change.2, measure = 'power') as power,
        sumIf(change.2, measure = 'at_risk') as at_risk,
        sumIf(change.2, measure = 'lapsed') as lapsed
    from spans
    array join [(from_date, 1), (until_date, -1)] as change
    group by tenant_id, date
),

dates as (
    select
        tenant_id,
        arrayJoin(arrayMap(day -> first_date + day, range(toUInt32(greatest(last_date - first_date, 0) + 1)))) as date
    from bounds
),

counts as (
    select
        dates.tenant_id as tenant_id,
        dates.date as date,
        toUInt64(sum(changes.active) over so_far) as active,
        toUInt64(sum(changes.active_7d) over so_far) as active_7d,
        toUInt64(sum(changes.active_30d) over so_far) as active_30d,
        toUInt64(sum(changes.new) over so_far) as new,
        toUInt64(sum(changes.power) over so_far) as power,
        toUInt64(sum(changes.at_risk) over so_far) as at_risk,
        toUInt64(sum(changes.lapsed) over so_far) as lapsed
    from dates
    left join changes on dates.tenant_id = changes.tenant_id and dates.date = changes.date
    window so_far as (
        partition by dates.tenant_id order by dates.date asc rows between unbounded preceding and current row
    )
)

select
    counts.tenant_id as tenant_id,
    counts.date as date,
    counts.active as active_users_count,
    counts.active_7d as active_users_7d_count,
    counts.active_30d as active_users_30d_count,
    counts.new as new_users_count,
    toUInt64(counts.active - counts.new) as returning_users_count,
    counts.power as power_users_count,
    counts.at_risk as at_risk_users_count,
    counts.lapsed as lapsed_users_count,
    calls.calls_count as calls_count,
    if(sessions.tenant_id = '', null, sessions.avg_duration_seconds) as average_session_seconds
from counts
left join calls on counts.tenant_id = calls.tenant_id and counts.date = calls.date
left join {{ ref('session_stats_daily') }} as sessions
    on counts.tenant_id = sessions.tenant_id and counts.date = sessions.date
