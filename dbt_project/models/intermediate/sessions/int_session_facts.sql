{{ config(
    order_by=['tenant_id', 'session_key', 'session_start'],
    query_settings={'optimize_aggregation_in_order': 1},
) }}
-- depends_on: {{ ref('changed_session_keys') }}
{% do follow('changed_sessions_before', ['tenant_id', 'session_key', 'session_start']) %}
-- One row per session: what its events alone say, before anybody asks who it was. `last_seen` and `last_said` hold the
-- place of the last event of each distinct id, and of its last event that says it is identified: enough to find the
-- session's person whatever becomes of the identities.
{% set columns = [
    'tenant_id', 'event_date', 'timestamp', 'event_id', 'distinct_id', 'is_identified', 'is_pageview', 'current_url',
    'host', 'pathname', 'referrer', 'referring_domain', 'click_ids', 'revenue'
] + utm_columns() + session_first_columns() %}
{% set timeout = 'toIntervalMinute(' ~ var('session_timeout_minutes') ~ ')' %}
with sending as (
    select
        tenant_id,
        device_key as session_key
    from {{ ref('int_device_sessions') }}
    {% if is_incremental() -%}
    where {{ among(
        ['tenant_id', 'session_key'], ref('changed_session_keys'), own_columns=['tenant_id', 'device_key']
    ) }}
    {%- endif %}
),

events as (
    select
        events.session_key as session_key,
        {% for column in columns %}events.{{ column }} as {{ column }},
        {% endfor -%}
        {{ place_in_session('events') }}
    from {{ ref('int_events') }} as events
    {% if is_incremental() %}
    inner join {{ ref('changed_session_keys') }} as changed
        on events.tenant_id = changed.tenant_id and events.session_key = changed.session_key
    {% endif %}
    where
        -- of nobody, or of a device that has its sessions from session ids
        events.distinct_id != ''
        and not ({{ is_derived('events.session_key') }} and (events.tenant_id, events.session_key) in (sending))
        {% if is_incremental() %}
        and {{ on_days_of(ref('changed_session_keys'), of='events') }}
        and events.timestamp >= changed.from_at
        and events.timestamp <= changed.to_at
        {% endif %}
),

adoptions as {{ once() if is_incremental() }} (
    select
        tenant_id,
        event_date,
        device_key,
        timestamp,
        event_id,
        session_key
    from {{ ref('int_adopted_events') }}
    {% if is_incremental() -%}
    where
        session_key in (select session_key from {{ ref('changed_session_keys') }})
        and (tenant_id, event_date, session_key) in (
            select
                tenant_id,
                -- a session goes on for a while after its last event
                arrayJoin({{ days_between('from_at', 'to_at + ' ~ timeout) }}),
                session_key
            from {{ ref('changed_session_keys') }}
        )
    {%- endif %}
),

adopted_events as (
    select
        adoptions.session_key as session_key,
        {% for column in columns %}events.{{ column }} as {{ column }},
        {% endfor -%}
        {{ place_in_session('events') }}
    from {{ ref('int_events') }} as events
    inner join adoptions
        on
            events.tenant_id = adoptions.tenant_id
            and events.event_date = adoptions.event_date
            and events.session_key = adoptions.device_key
            and events.timestamp = adoptions.timestamp
            and events.event_id = adoptions.event_id
    where
        events.session_key in (select device_key from adoptions)
        {% if is_incremental() -%}
        and (events.tenant_id, events.event_date, events.session_key, events.timestamp, events.event_id) in (
            select tenant_id, event_date, device_key, timestamp, event_id from adoptions
        )
        {%- endif %}
),

-- What was sent with a session id on one day, is not too long and adopts nothing, is one session as it is: nearly
-- all of it. The rest is cut, adopted events by where the session's own are.
keys_to_cut as {{ once() }} (
    select
        tenant_id,
        session_key
    from events
    where not {{ is_derived('session_key') }}
    group by tenant_id, session_key
    having
        min(event_date) != max(event_date)
        or max(time) - min(time) > {{ var('max_session_hours') }} * 3600 * 1000000
    union distinct
    select
        tenant_id,
        session_key
    from adoptions
),

events_to_cut as (
    select *
    from events
    where
        {{ is_derived('session_key') }}
        or (tenant_id, session_key) in (select tenant_id, session_key from keys_to_cut)
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
    from (
        select * from events_to_cut
        union all
        select * from adopted_events
    ) as events
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
        and (tenant_id, session_key) not in (select tenant_id, session_key from keys_to_cut)
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
            concat(substring(session_key, 3), if(match(session_key, '~[0-9]+$'), '~1', ''))
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
    own_hosts,
    exit_url,
    exit_pathname,
    {{ (utm_columns() + session_first_columns()) | join(',\n    ') }},
    cast(click_ids, 'Map(String, String)') as click_ids,
    revenue,
    {{ build_seq() }} as _build_seq
from facts
