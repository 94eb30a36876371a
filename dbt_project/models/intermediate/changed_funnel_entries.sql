{{ config(engine='MergeTree()', order_by=['tenant_id', 'funnel_id', 'entry_date', 'user_id']) }}
-- One row per (tenant_id, funnel_id, user_id, entry_date) whose best attempt can differ. An event that came, went or
-- moved to another person touches the attempts that started within the funnel's window before it, no others.
-- All days between a person's first and last one here on which an attempt could start are here too: `funnel_events`
-- works out that span.
with funnels as (
    select
        tenant_id,
        funnel_id,
        -- the day of a start lies at most so many days before the day of an event within its window
        intDiv(any(window_seconds) + 86399, 86400) as window_days,
        groupArray(event) as events,
        any(mode) = 'strict' or has(events, '') as counts_any_event
    from {{ ref('funnel_steps') }}
    group by tenant_id, funnel_id
),

moved_ids as (
    select
        tenant_id,
        distinct_id,
        old_user_id
    from {{ ref('changed_identities') }}
    where old_user_id != new_user_id
),

touched as (
    select
        tenant_id,
        funnel_id,
        distinct_id,
        event_date
    from {{ ref('int_funnel_matches') }}
    where _build_seq > (select from_seq from {{ ref('int_build_range') }})
    union distinct
    -- a definition can change without a load: rows of this build then look like those of the last one
    select
        tenant_id,
        funnel_id,
        distinct_id,
        event_date
    from {{ ref('int_funnel_matches') }}
    where
        (tenant_id, funnel_id) in (select tenant_id, funnel_id from {{ ref('changed_funnels') }})
        and _build_seq <= (select from_seq from {{ ref('int_build_range') }})
    union distinct
    select
        tenant_id,
        funnel_id,
        distinct_id,
        event_date
    from {{ ref('int_funnel_matches') }}
    where (tenant_id, distinct_id) in (select tenant_id, distinct_id from moved_ids)
    union distinct
    -- what went is no longer among the matches: any event of that name will do
    select
        events.tenant_id as tenant_id,
        funnels.funnel_id as funnel_id,
        events.distinct_id as distinct_id,
        events.event_date as event_date
    from {{ ref('changed_events') }} as events
    inner join funnels on events.tenant_id = funnels.tenant_id
    where events.change = 'removed' and (funnels.counts_any_event or has(funnels.events, events.event))
),

-- the person now, and the one before
people_of_ids as (
    select
        tenant_id,
        distinct_id,
        user_id
    from {{ ref('identities') }}
    where (tenant_id, distinct_id) in (select tenant_id, distinct_id from touched)
    union all
    select
        tenant_id,
        distinct_id,
        old_user_id as user_id
    from moved_ids
    where old_user_id != ''
),

touched_days as (
    select distinct
        touched.tenant_id as tenant_id,
        touched.funnel_id as funnel_id,
        people_of_ids.user_id as user_id,
        touched.event_date as event_date
    from touched
    inner join people_of_ids
        on touched.tenant_id = people_of_ids.tenant_id and touched.distinct_id = people_of_ids.distinct_id
),

people as (
    select
        touched_days.tenant_id as tenant_id,
        touched_days.funnel_id as funnel_id,
        touched_days.user_id as user_id,
        toDate(toUInt16(greatest(toInt64(toUInt16(min(touched_days.event_date))) - any(funnels.window_days), 0)))
            as from_date,
        max(touched_days.event_date) as to_date
    from touched_days
    inner join funnels
        on touched_days.tenant_id = funnels.tenant_id and touched_days.funnel_id = funnels.funnel_id
    group by tenant_id, funnel_id, user_id
),

ids as (
    select
        tenant_id,
        distinct_id,
        user_id
    from {{ ref('identities') }}
    where (tenant_id, user_id) in (select tenant_id, user_id from people)
)

select
    tenant_id,
    funnel_id,
    user_id,
    event_date as entry_date
from touched_days
union distinct
select
    matches.tenant_id as tenant_id,
    matches.funnel_id as funnel_id,
    people.user_id as user_id,
    matches.event_date as entry_date
from {{ ref('int_funnel_matches') }} as matches
inner join ids on matches.tenant_id = ids.tenant_id and matches.distinct_id = ids.distinct_id
inner join people
    on matches.tenant_id = people.tenant_id and matches.funnel_id = people.funnel_id and ids.user_id = people.user_id
where
    (matches.tenant_id, matches.distinct_id) in (select tenant_id, distinct_id from ids)
    and matches.event_date >= (select min(from_date) from people)
    and matches.event_date between people.from_date and people.to_date
