{{ config(order_by=['tenant_id', 'user_id', 'date']) }}
-- One row per person and day whose activity can differ: days of changed events, all days of moved ids (for the person
-- they left and the one they joined), and days of changed sessions.
{% call changes() %}
with moved as (
    select
        tenant_id,
        distinct_id,
        arrayJoin([old_user_id, new_user_id]) as user_id
    from {{ ref('changed_identities') }}
    where old_user_id != new_user_id
),

changed_id_days as {{ once() }} (
    select distinct
        tenant_id,
        distinct_id,
        event_date
    from {{ ref('changed_events') }}
),

moved_id_days as (
    select distinct
        tenant_id,
        distinct_id,
        event_date
    from {{ ref('int_id_days') }}
    where {{ among(['tenant_id', 'distinct_id'], 'moved') }}
    union distinct
    select
        tenant_id,
        distinct_id,
        event_date
    from changed_id_days
    where (tenant_id, distinct_id) in (select tenant_id, distinct_id from moved)
)

select
    days.tenant_id as tenant_id,
    identities.user_id as user_id,
    days.event_date as date
from changed_id_days as days
inner join {{ people_of('changed_id_days') }} as identities
    on days.tenant_id = identities.tenant_id and days.distinct_id = identities.distinct_id
union distinct
select
    days.tenant_id as tenant_id,
    moved.user_id as user_id,
    days.event_date as date
from moved_id_days as days
inner join moved on days.tenant_id = moved.tenant_id and days.distinct_id = moved.distinct_id
where moved.user_id != ''
union distinct
select
    tenant_id,
    user_id,
    session_date as date
from {{ ref('changed_session_rows') }}
{% endcall %}
