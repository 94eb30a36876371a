{{ config(order_by=['tenant_id', 'anonymous_id', 'user_id', 'kind', 'event_date', 'session_key']) }}
{% do follow('changed_event_links', ['tenant_id', 'anonymous_id', 'user_id', 'kind', 'event_date', 'session_key']) %}
-- One row per (link, event_date, session_key): the links that events state, with the times they were stated.
{% set key = ['tenant_id', 'link.anonymous_id', 'link.user_id', 'link.kind', 'event_date', 'session_key'] %}
select
    tenant_id,
    link.anonymous_id as anonymous_id,
    link.user_id as user_id,
    link.kind as kind,
    event_date,
    session_key,
    min(timestamp) as first_seen_at,
    max(timestamp) as stated_at,
    {{ build_seq() }} as _build_seq
from {{ ref('int_events') }}
array join links as link
where
    (tenant_id, link.anonymous_id, link.user_id, link.kind, event_date, session_key) in (
        select tenant_id, anonymous_id, user_id, kind, event_date, session_key from {{ ref('changed_event_links') }}
    )
    {{ only_changed('changed_event_links', ['tenant_id', 'event_date', 'session_key']) }}
group by tenant_id, anonymous_id, user_id, kind, event_date, session_key
