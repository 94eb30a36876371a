{{ config(order_by=['tenant_id', 'funnel_id', 'user_id', 'event_date']) }}
-- One row per (tenant_id, funnel_id, user_id, event_date) on which an event that matters to the funnel came, went or
-- changed hands: for the person it belongs to now and the one it belonged to before.
{% call changes() %}
with funnels as (
    select
        tenant_id,
        funnel_id,
        groupArray(event) as events,
        any(mode) = 'strict' or has(events, '') as counts_any_event
    from {{ ref('funnel_steps') }}
    group by tenant_id, funnel_id
),

moved_ids as {{ once() }} (
    select
        tenant_id,
        distinct_id,
        old_user_id
    from {{ ref('changed_identities') }}
    where old_user_id != new_user_id
),

touched as {{ once() }} (
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
    where {{ among(['tenant_id', 'distinct_id'], 'moved_ids') }}
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

people_of_ids as (
    select
        tenant_id,
        distinct_id,
        user_id
    from {{ ref('identities') }}
    where {{ among(['tenant_id', 'distinct_id'], 'touched') }}
    union all
    select
        tenant_id,
        distinct_id,
        old_user_id as user_id
    from moved_ids
    where old_user_id != ''
)

select distinct
    touched.tenant_id as tenant_id,
    touched.funnel_id as funnel_id,
    people_of_ids.user_id as user_id,
    touched.event_date as event_date
from touched
inner join people_of_ids
    on touched.tenant_id = people_of_ids.tenant_id and touched.distinct_id = people_of_ids.distinct_id
{% endcall %}
