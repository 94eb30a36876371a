-- depends_on: {{ ref('changed_events') }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='MergeTree()',
    order_by=['tenant_id', 'distinct_id', 'timestamp', 'event_id'],
    pre_hook="{{ delete_changed('changed_events', ['tenant_id', 'distinct_id', 'timestamp', 'event_id']) }}",
) }}
-- One row per conversion, under the id that sent it: whose it is may change without the event changing.
select
    tenant_id,
    distinct_id,
    timestamp,
    event_id,
    event_date,
    event,
    revenue,
    {{ build_seq() }} as _build_seq
from {{ ref('int_events') }} as events
where
    {{ is_conversion('tenant_id', 'event', 'revenue') }}
    -- rows of int_events that are new carry this build's mark (not our own column), which its index finds
    {% if is_incremental() %}
        and events._build_seq = {{ build_seq() }}
    {% endif %}
