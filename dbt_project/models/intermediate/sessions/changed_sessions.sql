{{ config(order_by=['tenant_id', 'session_key', 'session_start']) }}
-- One row per session whose person or facts can differ, once as it was ('before', with its person) and once as it is
-- ('after', its person still to be found): those cut again, and those in which a moved id has sent events.
{% call changes() %}
with moved_days as {{ once() }} (
    select distinct
        tenant_id,
        event_date,
        session_key
    from {{ ref('int_id_days') }}
    where {{ among(['tenant_id', 'distinct_id'], ref('changed_identities'), where="old_user_id != ''") }}
),

moved_keys as {{ once() }} (
    select tenant_id, session_key
    from moved_days
    union distinct
    select tenant_id, session_key
    from {{ ref('int_adopted_events') }}
    where {{ among(
        ['tenant_id', 'event_date', 'session_key'], 'moved_days', own_columns=['tenant_id', 'event_date', 'device_key']
    ) }}
),

moved_sessions as {{ once() }} (
    select
        tenant_id,
        session_key,
        session_start,
        session_id,
        session_date
    from {{ ref('int_session_facts') }}
    where {{ among(['tenant_id', 'session_key'], 'moved_keys') }}
),

cut_sessions as (
    select
        sessions.tenant_id as tenant_id,
        sessions.session_key as session_key,
        sessions.session_start as session_start,
        sessions.session_id as session_id,
        sessions.session_date as session_date
    from {{ ref('int_session_facts') }} as sessions
    inner join {{ ref('changed_session_keys') }} as changed
        on sessions.tenant_id = changed.tenant_id and sessions.session_key = changed.session_key
    where
        sessions.session_start >= changed.from_at
        and sessions.session_start <= changed.to_at
        and {{ among(['tenant_id', 'session_key'], ref('changed_session_keys'), of='sessions') }}
),

before as (
    select
        tenant_id,
        session_key,
        session_start,
        session_id,
        session_date,
        user_id
    from {{ before('sessions', {
        'tenant_id': 'String', 'session_key': 'String', 'session_start': "DateTime64(6, \\'UTC\\')",
        'session_id': 'String', 'session_date': 'Date', 'user_id': 'String'
    }) }}
    where (tenant_id, session_date, session_key, session_start) in (
        select tenant_id, session_date, session_key, session_start from {{ ref('changed_sessions_before') }}
        union distinct
        select tenant_id, session_date, session_key, session_start from moved_sessions
    )
)

select tenant_id, session_key, session_start, session_id, session_date, user_id, 'before' as change
from before
union all
select tenant_id, session_key, session_start, session_id, session_date, '' as user_id, 'after' as change
from (
    select * from moved_sessions
    union distinct
    select * from cut_sessions
)
{% endcall %}
