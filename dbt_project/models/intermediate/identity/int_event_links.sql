{{ config(order_by=['tenant_id', 'anonymous_id', 'user_id', 'kind', 'event_date', 'session_key']) }}
{% do follow('changed_event_links', ['tenant_id', 'anonymous_id', 'user_id', 'kind', 'event_date', 'session_key']) %}
-- One row per (link, event_date, session_key): the links that events state, with the times they were stated.
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
    not {{ is_nobody('link.anonymous_id') }}
    and not {{ is_nobody('link.user_id') }}
    {{ only_changed('changed_event_links', ['tenant_id', 'event_date', 'session_key']) }}
    {{ only_changed(
        'changed_event_links',
        ['tenant_id', 'anonymous_id', 'user_id', 'kind', 'event_date', 'session_key'],
        own_columns=['tenant_id', 'link.anonymous_id', 'link.user_id', 'link.kind', 'event_date', 'session_key']
    ) }}
group by tenant_id, anonymous_id, user_id, kind, event_date, session_key
