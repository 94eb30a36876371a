{{ config(order_by=['tenant_id', 'distinct_id', 'name', 'event_date', 'session_key']) }}
{% set changed = follow('changed_events', ['tenant_id', 'distinct_id', 'event_date', 'session_key']) %}
-- One row per (tenant_id, distinct_id, name, event_date, session_key): the last value that was set of an
-- attribute and the first that was set once, under one session key on one day, each as (time, event, JSON value); an
-- empty event id: there was none.
with attributes as (
    select
        tenant_id,
        distinct_id,
        event_date,
        session_key,
        timestamp,
        event_id,
        arrayJoin(arrayConcat(
            arrayMap(pair -> (pair.1, pair.2, 0), JSONExtractKeysAndValuesRaw(attributes_set)),
            arrayMap(pair -> (pair.1, pair.2, 1), JSONExtractKeysAndValuesRaw(attributes_set_once))
        )) as attribute
    from {{ ref('int_events') }}
    where
        distinct_id != ''
        and (attributes_set != '' or attributes_set_once != '')
        {{ only_changed('changed_events', ['tenant_id', 'event_date', 'session_key']) }}
        {{ changed }}
)

select
    tenant_id,
    distinct_id,
    attribute.1 as name,
    event_date,
    session_key,
    maxIf((timestamp, event_id, attribute.2), attribute.3 = 0) as last_set,
    minIf((timestamp, event_id, attribute.2), attribute.3 = 1) as first_set_once,
    {{ build_seq() }} as _build_seq
from attributes
group by tenant_id, distinct_id, name, event_date, session_key
