{{ config(
    order_by=['tenant_id', 'distinct_id', 'funnel_id', 'timestamp', 'event_id', 'step_number'],
    partition_by='toYYYYMM(event_date)',
    settings={'index_granularity': 1024, 'enable_block_number_column': 1, 'enable_block_offset_column': 1},
) }}
{% do follow('changed_events', ['tenant_id', 'distinct_id', 'timestamp', 'event_id', 'event_date']) %}
{% do follow('changed_funnels', ['tenant_id', 'funnel_id']) %}
-- One row per (funnel, event, step) whose conditions the event meets; in strict funnels also every event, as step 0.
-- By id rather than by person: a login moves no row. So an event's properties are read once, when it comes, and
-- a person's attempts are worked out from this narrow table.
{% set passes = [0, 1] if is_incremental() else [1] %}
{% set funnel_is_changed = among(['tenant_id', 'funnel_id'], ref('changed_funnels')) if is_incremental() else 1 %}
with steps as {{ once() }} (
    select
        tenant_id,
        funnel_id,
        step_number,
        event,
        {{ filter_conditions('event_filter') }} as conditions,
        {{ funnel_is_changed }} as is_changed
    from {{ ref('funnel_steps') }}
    union all
    select
        every.tenant_id as tenant_id,
        every.funnel_id as funnel_id,
        0 as step_number,
        '' as event,
        {{ filter_conditions("''") }} as conditions,
        {{ funnel_is_changed }} as is_changed
    from {{ ref('funnel_steps') }} as every
    where every.mode = 'strict' and every.step_number = 1
),

-- changed funnels (all, if this table is rebuilt) look at all events, the others at those that came: one pass each,
-- over what it needs
{% for is_changed in passes -%}
{{ 'events_for_changed' if is_changed else 'events_that_came' }} as (
    select
        tenant_id,
        distinct_id,
        event_date,
        timestamp,
        event_id,
        event,
        {{ event_values(named_properties('steps'), 'events') }} as values
    from {{ ref('int_events') }} as events
    where
        {% if is_changed -%}
        tenant_id in (select tenant_id from steps where is_changed)
        {%- else -%}
        -- their own column, not the one that is written here
        events._build_seq > (select from_seq from {{ ref('int_build_range') }})
        {%- endif %}
        -- who has no id is not followed
        and distinct_id != ''
        and (
            (tenant_id, event) in (select tenant_id, event from steps)
            or tenant_id in (select tenant_id from steps where event = '')
        )
){{ ',' if not loop.last }}

{% endfor -%}
{% for is_changed in passes -%}
select
    events.tenant_id as tenant_id,
    events.distinct_id as distinct_id,
    steps.funnel_id as funnel_id,
    events.event_date as event_date,
    events.timestamp as timestamp,
    events.event_id as event_id,
    steps.step_number as step_number,
    {{ build_seq() }} as _build_seq
from {{ 'events_for_changed' if is_changed else 'events_that_came' }} as events
inner join steps on events.tenant_id = steps.tenant_id
where
    steps.is_changed = {{ is_changed }}
    and steps.event in ('', events.event)
    and {{ event_matches('steps.conditions', 'events.values') }}
{{ 'union all' if not loop.last }}
{% endfor %}
