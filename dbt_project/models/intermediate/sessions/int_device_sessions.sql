{{ config(order_by=['tenant_id', 'device_key', 'session_start', 'session_key']) }}
-- depends_on: {{ ref('changed_sent_keys') }}
{% do follow('changed_device_sessions', ['tenant_id', 'device_key', 'session_start', 'session_key']) %}
-- One row per device and session: the sessions that the events with session ids of an id make, and how long each is
-- going on. Which ids send session ids, and what their events without one belong to, is looked up here.
{% set longest = var('max_session_hours') ~ ' * 3600 * 1000000' %}
{% set timeout = var('session_timeout_minutes') ~ ' * 60 * 1000000' %}
with events as (
    select
        tenant_id,
        session_key,
        toUnixTimestamp64Micro(timestamp) as time,
        device_id,
        anonymous_id,
        distinct_id
    from {{ ref('int_events') }}
    where
        not {{ is_derived('session_key') }}
        {% if is_incremental() -%}
        and {{ on_days_of(ref('changed_sent_keys')) }}
        {%- endif %}
),

whole as (
    select
        tenant_id,
        session_key,
        min(time) as start_time,
        max(time) as end_time,
        {{ device_keys_of_all() }} as device_keys
    from events
    group by tenant_id, session_key
    having end_time - start_time <= {{ longest }}
),

-- of session ids that went on for too long; the same cut as that of the sessions' facts
starts as (
    select
        tenant_id,
        session_key,
        arrayJoin({{ session_starts('arraySort(groupArray(time))', '0') }}).1 as start_time
    from events
    where (tenant_id, session_key) not in (select tenant_id, session_key from whole)
    group by tenant_id, session_key
),

parts as (
    select
        events.tenant_id as tenant_id,
        events.session_key as session_key,
        starts.start_time as start_time,
        max(events.time) as end_time,
        {{ device_keys_of_all() }} as device_keys
    from events
    asof join starts
        on
            events.tenant_id = starts.tenant_id
            and events.session_key = starts.session_key
            and events.time >= starts.start_time
    group by tenant_id, session_key, start_time
),

sessions as (
    select tenant_id, session_key, start_time, end_time, device_keys from whole
    union all
    select tenant_id, session_key, start_time, end_time, device_keys from parts
)

select
    tenant_id,
    arrayJoin(device_keys) as device_key,
    fromUnixTimestamp64Micro(start_time, 'UTC') as session_start,
    session_key,
    fromUnixTimestamp64Micro(least(end_time + {{ timeout }}, start_time + {{ longest }}), 'UTC') as going_until,
    {{ build_seq() }} as _build_seq
from sessions
