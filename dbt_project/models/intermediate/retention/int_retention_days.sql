-- depends_on: {{ ref('changed_retention_before') }}
{{ config(order_by=['tenant_id', 'user_id', 'date', 'matcher_id']) }}
{% do follow('changed_user_days', ['tenant_id', 'user_id', 'date']) %}
{% do follow('changed_retention_matchers', ['tenant_id', 'matcher_id'], where='is_gone or is_new') %}
-- One row per person, day and matcher (event and filter of a retention definition) if the person did such an event.
-- Of matchers known before only the changed days are found, of new ones all. To a table that is rebuilt all are new.
with known_matchers as (
    select tenant_id, matcher_id, event, filter, conditions
    from {{ ref('changed_retention_matchers') }}
    where {{ 'not is_new and not is_gone' if is_incremental() else '0' }}
),

new_matchers as (
    select tenant_id, matcher_id, event, filter, conditions
    from {{ ref('changed_retention_matchers') }}
    where {{ 'is_new' if is_incremental() else 'not is_gone' }}
),

days as (
    select tenant_id, user_id, date
    from {{ ref('user_days') }}
    where events_count > 0
),

-- any event at all: the person's days are known
matched_days as (
    select days.tenant_id as tenant_id, days.user_id as user_id, days.date as date, matchers.matcher_id as matcher_id
    from days
    inner join known_matchers as matchers on days.tenant_id = matchers.tenant_id
    where
        matchers.event = '' and matchers.filter = ''
        and {{ among(['tenant_id', 'user_id', 'date'], ref('changed_user_days'), of='days') }}
    union all
    select days.tenant_id as tenant_id, days.user_id as user_id, days.date as date, matchers.matcher_id as matcher_id
    from days
    inner join new_matchers as matchers on days.tenant_id = matchers.tenant_id
    where
        matchers.event = '' and matchers.filter = ''
        and days.tenant_id in (select tenant_id from new_matchers where event = '' and filter = '')
),

-- the ids and session keys of the changed people lead to their events
changed_ids as {{ once() }} (
    select tenant_id, distinct_id, user_id
    from {{ ref('identities') }}
    where
        {{ among(['tenant_id', 'user_id'], ref('changed_user_days')) }}
        and tenant_id in (select tenant_id from known_matchers where event != '' or filter != '')
),

keys_of_changed_days as {{ once() }} (
    select id_days.tenant_id as tenant_id, id_days.event_date as event_date, id_days.session_key as session_key
    from {{ ref('int_id_days') }} as id_days
    inner join changed_ids as ids on id_days.tenant_id = ids.tenant_id and id_days.distinct_id = ids.distinct_id
    where
        {{ among(['tenant_id', 'distinct_id'], 'changed_ids', of='id_days') }}
        and (id_days.tenant_id, ids.user_id, id_days.event_date) in (
            select tenant_id, user_id, date from {{ ref('changed_user_days') }}
        )
),

events_of_changed_days as (
    select
        events.tenant_id as tenant_id,
        ids.user_id as user_id,
        events.event_date as date,
        events.event as event,
        {{ event_values(named_properties('known_matchers'), 'events') }} as values
    from {{ ref('int_events') }} as events
    inner join changed_ids as ids on events.tenant_id = ids.tenant_id and events.distinct_id = ids.distinct_id
    where
        {{ among(['tenant_id', 'event_date', 'session_key'], 'keys_of_changed_days', of='events') }}
        and (events.tenant_id, ids.user_id, events.event_date) in (
            select tenant_id, user_id, date from {{ ref('changed_user_days') }}
        )
),

events_for_new_matchers as (
    select
        events.tenant_id as tenant_id,
        ids.user_id as user_id,
        events.event_date as date,
        events.event as event,
        {{ event_values(named_properties('new_matchers'), 'events') }} as values
    from {{ ref('int_events') }} as events
    inner join {{ ref('identities') }} as ids
        on events.tenant_id = ids.tenant_id and events.distinct_id = ids.distinct_id
    where events.tenant_id in (select tenant_id from new_matchers where event != '' or filter != '')
),

matched_events as (
    {% for events, matchers in [
        ('events_of_changed_days', 'known_matchers'), ('events_for_new_matchers', 'new_matchers')
    ] -%}
    select
        events.tenant_id as tenant_id,
        events.user_id as user_id,
        events.date as date,
        matchers.matcher_id as matcher_id
    from {{ events }} as events
    inner join {{ matchers }} as matchers on events.tenant_id = matchers.tenant_id
    where
        (matchers.event != '' or matchers.filter != '')
        and matchers.event in ('', events.event)
        and {{ event_matches('matchers.conditions', 'events.values') }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select distinct
    tenant_id,
    user_id,
    date,
    matcher_id,
    {{ build_seq() }} as _build_seq
from (
    select tenant_id, user_id, date, matcher_id from matched_days
    union all
    select tenant_id, user_id, date, matcher_id from matched_events
)
