{{ config(order_by=['tenant_id', 'distinct_id', 'event_date', 'session_key']) }}
{% set changed = follow('changed_events', ['tenant_id', 'distinct_id', 'event_date', 'session_key']) %}
-- One row per (tenant_id, distinct_id, event_date, session_key): what one id did under one session key on one
-- day. People are counted from here, and it leads from an id to the places in int_events where its events are. Events
-- of nobody are not here, and so make no person.
select
    tenant_id,
    distinct_id,
    event_date,
    session_key,
    count() as events_count,
    countIf(is_pageview) as pageviews_count,
    sum(toDecimal128(coalesce(revenue, 0), 6)) as revenue,
    min(timestamp) as first_at,
    max(timestamp) as last_at,
    max(is_identified) as says_identified,
    {{ build_seq() }} as _build_seq
from {{ ref('int_events') }}
where
    distinct_id != ''
    {{ only_changed('changed_events', ['tenant_id', 'event_date', 'session_key']) }}
    {{ changed }}
group by tenant_id, distinct_id, event_date, session_key
