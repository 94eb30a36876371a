{{ config(meta={'dagster': {'ref': {'name': 'funnel_events'}}}) }}
select
    events.tenant_id,
    events.funnel_id,
    events.user_id,
    events.entry_date
from {{ ref('funnel_events') }} as events
inner join {{ ref('funnel_steps') }} as steps
    on events.tenant_id = steps.tenant_id and events.funnel_id = steps.funnel_id and steps.step_number = 1
where {{ of_this_build() }}
group by events.tenant_id, events.funnel_id, events.user_id, events.entry_date
having not (
    toDate(min(events.timestamp)) = events.entry_date
    and dateDiff('microsecond', min(events.timestamp), max(events.timestamp))
    <= toInt64(any(steps.window_seconds)) * 1000000
    -- one event serves one step
    and uniqExact(events.event_id, events.timestamp) = count()
    and countIf(events.seconds_from_previous is null) = 1
    -- no step is left out, and steps follow one another in time
    and max(events.step_number) = count()
    and arrayMap(
        step -> step.2, arraySort(groupArray((events.step_number, events.timestamp)))
    ) = arraySort(groupArray(events.timestamp))
)
