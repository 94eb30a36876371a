{{ config(order_by=['tenant_id', 'funnel_id', 'entry_date', 'step_number']) }}
{% set changed = follow('changed_funnel_days', ['tenant_id', 'funnel_id', 'entry_date']) %}
{% do follow('changed_funnels', ['tenant_id', 'funnel_id']) %}
-- One row per (tenant_id, funnel_id, entry_date, step_number), for days on which somebody entered the funnel; steps
-- that nobody reached count zero.
with entries as (
    select
        tenant_id,
        funnel_id,
        entry_date,
        user_id,
        count() as reached,
        -- in a tuple, because null, for the start, would be left out of an array by itself
        arraySort(groupArray((step_number, seconds_from_previous))).2 as seconds
    from {{ ref('funnel_events') }}
    where
        1
        {{ changed }}
    group by tenant_id, funnel_id, entry_date, user_id
),

steps as (
    select
        tenant_id,
        funnel_id,
        step_number,
        -- people reach the steps of an unordered funnel in different orders
        if(
            mode = 'unordered',
            concat('any ', toString(step_number), ' of ', toString(max(step_number) over of_funnel)),
            step_name
        ) as step_name,
        window_seconds
    from {{ ref('funnel_steps') }}
    window of_funnel as (partition by tenant_id, funnel_id)
),

counts as (
    select
        entries.tenant_id as tenant_id,
        entries.funnel_id as funnel_id,
        entries.entry_date as entry_date,
        steps.step_number as step_number,
        any(steps.step_name) as step_name,
        any(steps.window_seconds) as window_seconds,
        countIf(reached >= steps.step_number) as users_count,
        if(steps.step_number = 1, 0, countIf(reached >= steps.step_number - 1)) as previous_count,
        count() as first_count,
        -- null for those who did not reach the step
        quantileExactInclusive(0.5)(seconds[steps.step_number]) as median_seconds_from_previous,
        quantileExactInclusive(0.9)(seconds[steps.step_number]) as p90_seconds_from_previous
    from entries
    inner join steps
        on entries.tenant_id = steps.tenant_id and entries.funnel_id = steps.funnel_id
    group by tenant_id, funnel_id, entry_date, step_number
)

select
    counts.tenant_id as tenant_id,
    counts.funnel_id as funnel_id,
    counts.entry_date as entry_date,
    counts.step_number as step_number,
    counts.step_name as step_name,
    counts.users_count as users_count,
    counts.users_count / nullIf(counts.previous_count, 0) as conversion_from_previous,
    counts.users_count / counts.first_count as conversion_from_first,
    counts.median_seconds_from_previous as median_seconds_from_previous,
    counts.p90_seconds_from_previous as p90_seconds_from_previous,
    -- the last moment of the day may be an entry, and its window must end before the day of the last event begins
    cast(
        toInt64(toUInt16(counts.entry_date)) + 1 + intDiv(toInt64(counts.window_seconds) + 86399, 86400)
        <= toInt64(toUInt16(tenants.last_event_date)),
        'UInt8'
    ) as is_window_complete,
    {{ build_seq() }} as _build_seq
from counts
inner join {{ ref('int_tenants') }} as tenants on counts.tenant_id = tenants.tenant_id
