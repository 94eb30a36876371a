{{ config(engine='MergeTree()', order_by=['tenant_id', 'date', 'event', 'hour']) }}
-- One row per cell of `events_hourly` in which events changed, or whose people are told apart differently now.
{% call changes() %}
with moved_visits as (
    select
        tenant_id,
        event_date,
        session_key
    from {{ ref('int_id_days') }}
    where {{ among(
        ['tenant_id', 'distinct_id'],
        ref('changed_identities'),
        where="old_user_id != '' and old_user_id != new_user_id"
    ) }}
)

select tenant_id, event_date as date, event, hour
from {{ ref('changed_events') }}
union distinct
select tenant_id, event_date as date, event, toHour(timestamp) as hour
from {{ ref('int_events') }}
where (tenant_id, event_date, session_key) in (select tenant_id, event_date, session_key from moved_visits)
{% endcall %}
