{{ config(
    order_by=['tenant_id', 'session_key', 'session_start'],
    query_settings={'optimize_aggregation_in_order': 1},
) }}
-- depends_on: {{ ref('changed_session_keys') }}
{% do follow('changed_sessions_before', ['tenant_id', 'session_key', 'session_start']) %}
-- One row per session: what its events alone say, before anybody asks who it was. `last_seen` and `last_said` hold the
-- place of the last event of each distinct id, and of its last event that says it is identified: enough to find the
-- session's person whatever becomes of the identities.
with events as (
    select
        events.*,
        toUnixTimestamp64Micro(events.timestamp) as time,
        {{ place_of_event('time', 'events.event_id') }} as place
    from {{ ref('int_events') }} as events
    {% if is_incremental() %}
    inner join {{ ref('changed_session_keys') }} as changed
        on events.tenant_id = changed.tenant_id and events.session_key = changed.session_key
    where
        (events.tenant_id, events.event_date, events.session_key) in (
            select
                tenant_id,
                toDate(from_at) + arrayJoin(range(toUInt32(toDate(to_at) - toDate(from_at)) + 1)),
                session_key
            from {{ ref('changed_session_keys') }}
        )
        and events.timestamp >= changed.from_at
        and events.timestamp <= changed.to_at
    {% endif %}
),

-- What was sent with a session id on one day, and is not too long, is one session as it stands: nearly all of it. The
-- rest is cut.
long_keys as (
    select
        tenant_id,
        session_key
    from events
    where not {{ is_derived('session_key') }}
    group by tenant_id, session_key
    having
        min(event_date) != max(event_date)
        or max(time) - min(time) > {{ var('max_session_hours') }} * 3600 * 1000000
),

events_to_cut as (
    select *
    from events
    where
        {{ is_derived('session_key') }}
        or (tenant_id, session_key) in (select tenant_id, session_key from long_keys)
),

starts as (
    select
        tenant_id,
        session_key,
        arrayJoin({{ session_starts('arraySort(groupArray(time))', is_derived('session_key')) }}) as start,
        start.1 as start_time,
        start.2 as island_start_time,
        start.3 as island_end_time,
        start.4 as number
    from events_to_cut
    group by tenant_id, session_key
),

cut_events as (
    select
        events.*,
        starts.start_time as start_time,
        starts.island_start_time as island_start_time,
        starts.island_end_time as island_end_time,
        starts.number as number
    from events_to_cut as events
    asof join starts
        on
            events.tenant_id = starts.tenant_id
            and events.session_key = starts.session_key
            and events.time >= starts.start_time
),

-- these lie in the table one after the other: each session is done before the next begins
whole_events as (
    select *
    from events
    where
        not {{ is_derived('session_key') }}
        and (tenant_id, session_key) not in (select tenant_id, session_key from long_keys)
),

facts as (
    select
        start_time,
        any(island_start_time) as island_start_time,
        any(island_end_time) as island_end_time,
        any(number) as number,
        {{ session_facts('cut_events') }}
    from cut_events
    group by tenant_id, session_key, start_time
    union all
    select
        min(time) as start_time,
        min(time) as island_start_time,
        max(time) as island_end_time,
        1 as number,
        {{ session_facts('whole_events') }}
    from whole_events
    group by tenant_id, event_date, session_key
)

select
    tenant_id,
    session_key,
    fromUnixTimestamp64Micro(start_time, 'UTC') as session_start,
    concat(
        if(
            {{ is_derived('session_key') }},
            lower(hex(sipHash128(tenant_id, session_key, island_start_time))),
            -- a sent id that looks like the name of a part is marked as the first part of its own
            if(match(sent_session_id, '~[0-9]+$'), concat(sent_session_id, '~1'), sent_session_id)
        ),
        if(number = 1, '', concat('~', toString(number)))
    ) as session_id,
    toDate(session_start) as session_date,
    session_end,
    fromUnixTimestamp64Micro(island_start_time, 'UTC') as island_start,
    fromUnixTimestamp64Micro(island_end_time, 'UTC') as island_end,
    first_distinct_id,
    last_distinct_id,
    first_says_identified,
    last_seen,
    last_said,
    events_count,
    pageviews_count,
    entry_url,
    entry_host,
    entry_pathname,
    entry_referrer,
    entry_referring_domain,
    exit_url,
    exit_pathname,
    {{ session_first_columns() | join(',\n    ') }},
    cast(mapApply((name, value) -> (name, value.2), first_click_ids), 'Map(String, String)') as click_ids,
    revenue,
    {{ build_seq() }} as _build_seq
from facts
