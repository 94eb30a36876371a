{{ config(
    order_by=['tenant_id', 'event_date', 'event', 'hour', 'distinct_id', 'session_key'],
    partition_by='toYYYYMM(event_date)',
    settings={'index_granularity': 256, 'enable_block_number_column': 1, 'enable_block_offset_column': 1},
) }}
{% set changed = follow('changed_events', ['tenant_id', 'event_date', 'event', 'hour', 'distinct_id', 'session_key']) %}
-- One row per (tenant_id, event_date, event, hour, distinct_id, session_key): the hourly counts, before ids become
-- people. Granules are small because `events_hourly` looks up single hours, which are some dozens of rows.
select
    tenant_id,
    event_date,
    event,
    toHour(timestamp) as hour,
    distinct_id,
    session_key,
    count() as events_count,
    {{ build_seq() }} as _build_seq
from {{ ref('int_events') }}
where
    1
    {{ only_changed('changed_events', ['tenant_id', 'event_date', 'session_key']) }}
    {{ changed }}
group by tenant_id, event_date, event, hour, distinct_id, session_key
