{{ config(order_by=['tenant_id', 'device_key', 'session_start', 'session_key']) }}
-- One row per row of `int_device_sessions` to delete: the sessions, as they were, of session ids that are cut anew.
-- They are found by the devices of the events that came, went or stayed.
{% call changes() %}
with devices as {{ once() }} (
    select distinct
        tenant_id,
        arrayJoin({{ device_keys() }}) as device_key
    from (
        select tenant_id, device_id, anonymous_id, distinct_id
        from {{ ref('int_events') }}
        where {{ on_days_of(ref('changed_sent_keys')) }}
        union all
        select tenant_id, device_id, anonymous_id, distinct_id
        from {{ ref('changed_events') }}
        where not {{ is_derived('session_key') }}
    )
)

select
    tenant_id,
    device_key,
    session_start,
    session_key,
    going_until
from {{ before('int_device_sessions', {
    'tenant_id': 'String', 'device_key': 'String', 'session_start': "DateTime64(6, \\'UTC\\')",
    'session_key': 'String', 'going_until': "DateTime64(6, \\'UTC\\')"
}) }}
where
    {{ among(['tenant_id', 'device_key'], 'devices') }}
    and {{ among(['tenant_id', 'session_key'], ref('changed_sent_keys')) }}
{% endcall %}
