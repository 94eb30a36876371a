{{ config(order_by='tenant_id') }}
-- One row per tenant with events: the day of its last event, now and in the tables before this build. Beyond the last
-- event nothing is known, so funnels and retention must know where it is.
{% set columns = {'tenant_id': 'String', 'last_event_date': 'Date'} %}
with previous as (
    select tenant_id, last_event_date from {{ before('int_tenants', columns) }}
),

hours as (
    select tenant_id, date
    from {{ ref('events_hourly') }}
    {% if not is_rebuilt() -%}
    -- the last day so far, and the last that changed; if the one so far is gone, all days
    where
        (tenant_id, date) in (
            select tenant_id, last_event_date as date from previous
            union distinct
            select tenant_id, max(date) as date from {{ ref('changed_event_hours') }} group by tenant_id
        )
        or tenant_id in (
            select tenant_id
            from previous
            where (tenant_id, last_event_date) not in (
                select tenant_id, date
                from {{ ref('events_hourly') }}
                where (tenant_id, date) in (select tenant_id, last_event_date from previous)
            )
        )
    {%- endif %}
)

select
    hours.tenant_id as tenant_id,
    max(hours.date) as last_event_date,
    any(previous.last_event_date) as _previous_last_event_date
from hours
left join previous on hours.tenant_id = previous.tenant_id
group by tenant_id
