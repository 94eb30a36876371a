{{ config(order_by=['tenant_id', 'user_id']) }}
{% set changed = follow('changed_users', ['tenant_id', 'user_id']) %}
-- One row per person (tenant_id, user_id) with at least one event, anonymous people included.
with ids as {{ once() if is_incremental() }} (
    select
        tenant_id,
        distinct_id,
        user_id,
        is_identified
    from {{ ref('identities') }}
    where
        1
        {{ changed }}
),

people as (
    select
        tenant_id,
        user_id,
        max(is_identified) as is_identified,
        count() as distinct_ids_count
    from ids
    group by tenant_id, user_id
),

id_days as (
    select
        days.tenant_id as tenant_id,
        ids.user_id as user_id,
        min(days.first_at) as first_seen_at,
        max(days.last_at) as last_seen_at,
        sum(days.events_count) as events_count,
        sum(days.pageviews_count) as pageviews_count,
        sum(days.revenue) as lifetime_value
    from {{ ref('int_id_days') }} as days
    inner join ids on days.tenant_id = ids.tenant_id and days.distinct_id = ids.distinct_id
    {% if is_incremental() %}
    where {{ among(['tenant_id', 'distinct_id'], 'ids', of='days') }}
    {% endif %}
    group by tenant_id, user_id
),

sessions as (
    select
        tenant_id,
        user_id,
        count() as sessions_count,
        sum(duration_micros) / count() / 1e6 as average_session_duration
    from {{ ref('int_user_sessions') }}
    where
        1
        {{ changed }}
    group by tenant_id, user_id
),

touches as (
    select
        tenant_id,
        user_id,
        argMin(channel, (session_start, session_id)) as first_channel,
        argMax(channel, (session_start, session_id)) as recent_channel,
        toNullable(min(session_start)) as first_at,
        toNullable(max(session_start)) as recent_at
    from {{ ref('int_touches') }}
    where
        1
        {{ changed }}
    group by tenant_id, user_id
),

-- what was set takes precedence over what was set once: the last set, else the first set once
attribute_values as (
    select
        attributes.tenant_id as tenant_id,
        ids.user_id as user_id,
        attributes.name as name,
        max(attributes.last_set) as last_set,
        minIf(attributes.first_set_once, tupleElement(attributes.first_set_once, 2) != '') as first_set_once,
        if(tupleElement(last_set, 2) != '', tupleElement(last_set, 3), tupleElement(first_set_once, 3)) as value
    from {{ ref('int_id_attributes') }} as attributes
    inner join ids on attributes.tenant_id = ids.tenant_id and attributes.distinct_id = ids.distinct_id
    {% if is_incremental() %}
    where {{ among(['tenant_id', 'distinct_id'], 'ids', of='attributes') }}
    {% endif %}
    group by tenant_id, user_id, name
),

attributes as (
    select
        tenant_id,
        user_id,
        concat(
            '{',
            arrayStringConcat(
                arrayMap(pair -> concat(toJSONString(pair.1), ':', pair.2), arraySort(groupArray((name, value)))), ','
            ),
            '}'
        ) as attributes
    from attribute_values
    group by tenant_id, user_id
)

select
    people.tenant_id as tenant_id,
    people.user_id as user_id,
    {{ tracking_id('people.tenant_id', 'people.user_id') }} as tracking_id,
    people.is_identified as is_identified,
    people.distinct_ids_count as distinct_ids_count,
    id_days.first_seen_at as first_seen_at,
    id_days.last_seen_at as last_seen_at,
    toDate(id_days.first_seen_at) as first_seen_date,
    sessions.sessions_count as sessions_count,
    id_days.events_count as events_count,
    id_days.pageviews_count as pageviews_count,
    id_days.lifetime_value as lifetime_value,
    if(sessions.sessions_count = 0, null, sessions.average_session_duration) as average_session_duration,
    if(attributes.attributes = '', '{}', attributes.attributes) as attributes,
    {{ or_direct('touches.first_channel') }} as first_touch_channel,
    touches.first_at as first_touch_at,
    {{ or_direct('touches.recent_channel') }} as recent_touch_channel,
    touches.recent_at as recent_touch_at,
    {{ build_seq() }} as _build_seq
from people
inner join id_days on people.tenant_id = id_days.tenant_id and people.user_id = id_days.user_id
left join sessions on people.tenant_id = sessions.tenant_id and people.user_id = sessions.user_id
left join touches on people.tenant_id = touches.tenant_id and people.user_id = touches.user_id
left join attributes on people.tenant_id = attributes.tenant_id and people.user_id = attributes.user_id
