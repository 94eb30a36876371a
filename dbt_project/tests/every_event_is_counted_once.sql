{{ config(meta={'dagster': {'ref': {'name': 'users'}}}) }}
-- Hours, people and sessions are counted along different paths from the same events: per tenant they come to the same.
-- A row that a build forgot to delete, or to write, shows here whenever it was forgotten: so all rows are summed up,
-- but only of tenants in which this build changed something.
{% set of_changed_tenants = '' if is_full_build()
    else 'where tenant_id in (select tenant_id from ' ~ ref('changed_users') ~ ')' %}
with totals as (
    select
        tenant_id,
        sum(events_count) as hourly_events,
        0 as events_of_users,
        0 as events_of_sessions
    from {{ ref('events_hourly') }}
    {{ of_changed_tenants }}
    group by tenant_id
    union all
    select
        tenant_id,
        0 as hourly_events,
        sum(events_count) as events_of_users,
        0 as events_of_sessions
    from {{ ref('users') }}
    {{ of_changed_tenants }}
    group by tenant_id
    union all
    select
        tenant_id,
        0 as hourly_events,
        0 as events_of_users,
        sum(events_count) as events_of_sessions
    from {{ ref('sessions') }}
    {{ of_changed_tenants }}
    group by tenant_id
)

select
    tenant_id,
    sum(hourly_events) as hourly_events_count,
    sum(events_of_users) as events_of_users_count,
    sum(events_of_sessions) as events_of_sessions_count
from totals
group by tenant_id
having hourly_events_count != events_of_users_count or hourly_events_count != events_of_sessions_count
