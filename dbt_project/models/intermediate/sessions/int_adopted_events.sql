{{ config(
    order_by=['tenant_id', 'event_date', 'device_key', 'timestamp', 'event_id'],
    partition_by='toYYYYMM(event_date)',
) }}
{% do follow('changed_device_days', ['tenant_id', 'event_date', 'device_key']) %}
-- One row per event without a session id that belongs to a session all the same: to the one of its device that is going
-- on then; of several to the one that started last.
with lone_events as {{ once() if is_incremental() }} (
    select
        tenant_id,
        session_key as device_key,
        event_date,
        timestamp,
        event_id
    from {{ ref('int_events') }}
    where
        {{ is_derived('session_key') }}
        and distinct_id != ''
        {{ only_changed(
            'changed_device_days',
            ['tenant_id', 'event_date', 'device_key'],
            own_columns=['tenant_id', 'event_date', 'session_key']
        ) }}
),

devices as (
    select
        tenant_id,
        device_key,
        min(timestamp) as first_at,
        max(timestamp) as last_at
    from lone_events
    group by tenant_id, device_key
),

sessions as {{ once() if is_incremental() }} (
    select
        sessions.tenant_id as tenant_id,
        sessions.device_key as device_key,
        sessions.session_start as session_start,
        sessions.session_key as session_key,
        sessions.going_until as going_until
    from {{ ref('int_device_sessions') }} as sessions
    inner join devices on sessions.tenant_id = devices.tenant_id and sessions.device_key = devices.device_key
    where
        sessions.going_until >= devices.first_at
        and sessions.session_start <= devices.last_at
        {% if is_incremental() -%}
        and {{ among(['tenant_id', 'device_key'], ref('changed_device_days'), of='sessions') }}
        {%- endif %}
),

going_on as (
    {{ sessions_going_on('sessions') }}
)

select
    lone_events.tenant_id as tenant_id,
    lone_events.event_date as event_date,
    lone_events.device_key as device_key,
    lone_events.timestamp as timestamp,
    lone_events.event_id as event_id,
    going_on.session_key as session_key,
    {{ build_seq() }} as _build_seq
from lone_events
asof join going_on
    on
        lone_events.tenant_id = going_on.tenant_id
        and lone_events.device_key = going_on.device_key
        and lone_events.timestamp >= going_on.from_at
where going_on.session_key != ''
