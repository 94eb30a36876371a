{{ config(materialized='view', settings={}) }}
-- Both images of every event that differs since the last build: the row that came and the row that went.
-- A view, so that a full build does not write all events twice; new rows are found by their `_build_seq`.
select
    tenant_id,
    event_date,
    event_id,
    session_key,
    timestamp,
    distinct_id,
    device_id,
    anonymous_id,
    event,
    toHour(timestamp) as hour,
    links,
    'added' as change
from {{ ref('int_events') }}
where {{ written_by_this_build() }}

union all

select
    tenant_id,
    event_date,
    event_id,
    session_key,
    timestamp,
    distinct_id,
    device_id,
    anonymous_id,
    event,
    toHour(timestamp) as hour,
    links,
    'removed' as change
from {{ ref('changed_duplicates') }}
where is_changed and has_old
