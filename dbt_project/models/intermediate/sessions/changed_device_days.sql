{{ config(order_by=['tenant_id', 'event_date', 'device_key']) }}
-- One row per device and day on which its events without a session id can belong to another session than before: such
-- an event came or went, or a session of the device that was or is going on then did. `session_keys` are those that
-- they belonged to before.
{% call changes() %}
with sessions as (
    select tenant_id, device_key, session_start, going_until
    from {{ ref('changed_device_sessions') }}
    union all
    select tenant_id, device_key, session_start, going_until
    from {{ ref('int_device_sessions') }}
    where {{ written_by_this_build() }}
),

days as {{ once() }} (
    select
        tenant_id,
        device_key,
        arrayJoin({{ days_between('session_start', 'going_until') }}) as event_date
    from sessions
    union distinct
    select
        tenant_id,
        session_key as device_key,
        event_date
    from {{ ref('changed_events') }}
    where {{ is_derived('session_key') }} and distinct_id != ''
),

adopted as (
    select
        tenant_id,
        device_key,
        event_date,
        groupUniqArray(session_key) as session_keys
    from {{ before('int_adopted_events', {
        'tenant_id': 'String', 'device_key': 'String', 'event_date': 'Date', 'session_key': 'String'
    }) }}
    where {{ among(['tenant_id', 'event_date', 'device_key'], 'days') }}
    group by tenant_id, device_key, event_date
)

select
    days.tenant_id as tenant_id,
    days.event_date as event_date,
    days.device_key as device_key,
    adopted.session_keys as session_keys
from days
left join adopted
    on
        days.tenant_id = adopted.tenant_id
        and days.device_key = adopted.device_key
        and days.event_date = adopted.event_date
{% endcall %}
