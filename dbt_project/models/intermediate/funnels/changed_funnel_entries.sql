{{ config(order_by=['tenant_id', 'funnel_id', 'entry_date', 'user_id']) }}
-- One row per (tenant_id, funnel_id, user_id, entry_date) whose best attempt can differ. An event touches the attempts
-- that started within the funnel's window before it, no others. All days between a person's first and last one here
-- on which an attempt could start are here too: `funnel_events` works out that span.
{% call changes() %}
with people as {{ once() }} (
    select
        days.tenant_id as tenant_id,
        days.funnel_id as funnel_id,
        days.user_id as user_id,
        -- the day of a start lies at most so many days before the day of an event within its window
        toDate(toUInt16(greatest(
            toInt64(toUInt16(min(days.event_date))) - intDiv(any(steps.window_seconds) + 86399, 86400), 0
        ))) as from_date,
        max(days.event_date) as to_date
    from {{ ref('changed_funnel_person_days') }} as days
    inner join {{ ref('funnel_steps') }} as steps
        on days.tenant_id = steps.tenant_id and days.funnel_id = steps.funnel_id and steps.step_number = 1
    group by tenant_id, funnel_id, user_id
),

-- joined here, where both are small: left to itself the database may join the matches with the people of their funnel
-- first, all with all
ids as {{ once() }} (
    select
        people.tenant_id as tenant_id,
        people.funnel_id as funnel_id,
        people.user_id as user_id,
        people.from_date as from_date,
        people.to_date as to_date,
        identities.distinct_id as distinct_id
    from people
    inner join {{ ref('identities') }} as identities
        on people.tenant_id = identities.tenant_id and people.user_id = identities.user_id
    where {{ among(['tenant_id', 'user_id'], ref('changed_funnel_person_days'), of='identities') }}
)

select
    tenant_id,
    funnel_id,
    user_id,
    event_date as entry_date
from {{ ref('changed_funnel_person_days') }}
union distinct
select
    matches.tenant_id as tenant_id,
    matches.funnel_id as funnel_id,
    ids.user_id as user_id,
    matches.event_date as entry_date
from {{ ref('int_funnel_matches') }} as matches
inner join ids
    on
        matches.tenant_id = ids.tenant_id
        and matches.funnel_id = ids.funnel_id
        and matches.distinct_id = ids.distinct_id
where
    {{ among(['tenant_id', 'distinct_id'], 'ids', of='matches') }}
    and matches.event_date >= (select min(from_date) from people)
    and matches.event_date between ids.from_date and ids.to_date
{% endcall %}
