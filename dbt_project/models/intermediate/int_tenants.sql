{{ config(materialized='table', engine='MergeTree()', order_by='tenant_id') }}
-- One row per tenant with events: the day of its last event, now and in the tables before this build. Beyond the last
-- event nothing is known, so funnels and retention must know where it is.
select
    hours.tenant_id as tenant_id,
    max(hours.date) as last_event_date,
    any(previous.last_event_date) as _previous_last_event_date
from {{ ref('events_hourly') }} as hours
left join {{ before('int_tenants', {'tenant_id': 'String', 'last_event_date': 'Date'}) }} as previous
    on hours.tenant_id = previous.tenant_id
group by tenant_id
