{{ config(order_by=['tenant_id', 'user_id']) }}
{% set changed = follow('changed_users', ['tenant_id', 'user_id']) %}
-- One row per person (tenant_id, user_id), with their first and most recent touch. All columns of a touch come from
-- one session, never mixed; who was never touched came Direct.
{% set touch_columns = [
    'utm_source', 'utm_medium', 'utm_campaign', 'utm_term', 'utm_content', 'gclid', 'fbclid', 'msclkid',
    'referrer', 'referring_domain', 'session_id'
] %}
with people as (
    select
        tenant_id,
        user_id,
        sessions_count,
        first_seen_at,
        last_seen_at
    from {{ ref('users') }}
    where
        1
        {{ changed }}
),

touches as (
    select
        tenant_id,
        user_id,
        argMin(tuple({{ touch_columns | join(', ') }}), (session_start, session_id)) as first_touch,
        argMax(tuple({{ touch_columns | join(', ') }}), (session_start, session_id)) as recent_touch,
        argMin(channel, (session_start, session_id)) as first_channel,
        argMax(channel, (session_start, session_id)) as recent_channel,
        argMaxIf(channel, (session_start, session_id), channel != 'Direct') as last_non_direct_channel,
        toNullable(min(session_start)) as first_at,
        toNullable(max(session_start)) as recent_at
    from {{ ref('int_touches') }}
    where
        1
        {{ changed }}
    group by tenant_id, user_id
)

select
    people.tenant_id as tenant_id,
    people.user_id as user_id,
    {% for touch in ['first', 'recent'] -%}
    {% for column in touch_columns -%}
    touches.{{ touch }}_touch.{{ loop.index }} as {{ touch }}_{{ column }},
    {% endfor -%}
    {{ or_direct('touches.' ~ touch ~ '_channel') }} as {{ touch }}_channel,
    touches.{{ touch }}_at as {{ touch }}_at,
    {% endfor -%}
    {{ or_direct('touches.last_non_direct_channel') }} as last_non_direct_channel,
    people.sessions_count as sessions_count,
    people.first_seen_at as first_seen_at,
    people.last_seen_at as last_seen_at,
    toUInt32(dateDiff('day', people.first_seen_at, people.last_seen_at)) as days_between_first_last,
    {{ build_seq() }} as _build_seq
from people
left join touches on people.tenant_id = touches.tenant_id and people.user_id = touches.user_id
