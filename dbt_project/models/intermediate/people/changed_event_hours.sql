{{ config(order_by=['tenant_id', 'date', 'event', 'hour']) }}
-- One row per cell of `events_hourly` in which events changed, or whose people are told apart differently now. That can
-- only be where a person comes together, or came before, under two ids, one of which moved: everybody else who moves is
-- counted as before, under another name. So a login does not cost the hours of a whole history.
{% call changes() %}
with moved as {{ once() }} (
    select
        tenant_id,
        distinct_id,
        arrayJoin([old_user_id, new_user_id]) as user_id
    from {{ ref('changed_identities') }}
    where old_user_id != '' and new_user_id != '' and old_user_id != new_user_id
),

-- all ids that these people have or had
ids as {{ once() }} (
    select
        tenant_id,
        user_id,
        distinct_id,
        max(is_moved) as is_moved
    from (
        select tenant_id, user_id, distinct_id, true as is_moved
        from moved
        union all
        select tenant_id, user_id, distinct_id, false as is_moved
        from {{ ref('identities') }}
        where {{ among(['tenant_id', 'user_id'], 'moved') }}
    )
    group by tenant_id, user_id, distinct_id
),

moved_keys as {{ once() }} (
    select
        id_days.tenant_id as tenant_id,
        id_days.event_date as event_date,
        arrayJoin(groupUniqArrayIf(id_days.session_key, ids.is_moved)) as session_key
    from {{ ref('int_id_days') }} as id_days
    inner join ids on id_days.tenant_id = ids.tenant_id and id_days.distinct_id = ids.distinct_id
    where {{ among(['tenant_id', 'distinct_id'], 'ids', of='id_days') }}
    group by tenant_id, ids.user_id, event_date
    having uniqExact(id_days.distinct_id) > 1
)

select tenant_id, event_date as date, event, hour
from {{ ref('changed_events') }}
union distinct
select tenant_id, event_date as date, event, toHour(timestamp) as hour
from {{ ref('int_events') }}
where {{ among(['tenant_id', 'event_date', 'session_key'], 'moved_keys') }}
union distinct
select tenant_id, date, event, hour
from {{ ref('stg_kept_event_hours') }}
where was_kept != is_kept
{% endcall %}
