{{ config(order_by=['tenant_id', 'distinct_id', 'timestamp', 'event_id']) }}
{% do follow('changed_events', ['tenant_id', 'distinct_id', 'timestamp', 'event_id']) %}
-- One row per conversion, under the id that sent it: whose it is may change without the event changing.
with events as (
    select
        tenant_id,
        distinct_id,
        timestamp,
        event_id,
        event_date,
        event,
        revenue
    from {{ ref('int_events') }}
    {% if is_incremental() %}
    where {{ written_by_this_build() }}
    {% endif %}
)

select
    tenant_id,
    distinct_id,
    timestamp,
    event_id,
    event_date,
    event,
    revenue,
    {{ build_seq() }} as _build_seq
from events
where {{ is_conversion('tenant_id', 'event', 'revenue') }}
