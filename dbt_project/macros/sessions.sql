{#
    The place of an event in order: by time, of the same moment by id. Bytes that sort as the pair does, because the
    database compares two strings several times faster than two tuples. (The sign bit is turned, so that moments before
    1970 come before those after.)
#}
{% macro place_of_event(time, event_id) -%}
    concat(reverse(reinterpretAsFixedString(bitXor(toUInt64({{ time }}), bitShiftLeft(toUInt64(1), 63)))), {{ event_id }})
{%- endmacro %}


{# The first (or last) value of a column in a session that is not empty, by the places of events. #}
{% macro first_value_of(column) %}argMinIf({{ column }}, place, {{ column }} != ''){% endmacro %}

{% macro last_value_of(column) %}argMaxIf({{ column }}, place, {{ column }} != ''){% endmacro %}


{# Sessions of events without a session id are derived from the silence between events. #}
{% macro is_derived(session_key) %}startsWith({{ session_key }}, 'd:'){% endmacro %}


{#
    The sessions of one session key (a session id, or a device without session ids) from its sorted event times in
    microseconds: an array of (session start, start of its island, end of its island, number in its island), in order.
    Silence ends an island, if the key is derived; a session that goes on for too long starts anew within its island.
#}
{% macro session_starts(times, derived) %}
    {%- set timeout = var('session_timeout_minutes') ~ ' * 60 * 1000000' -%}
    {%- set longest = var('max_session_hours') ~ ' * 3600 * 1000000' -%}
    arrayFlatten(arrayMap(
        island -> arrayMap(
            (start, number) -> (start, island[1], island[-1], number),
            if(
                island[-1] - island[1] <= {{ longest }},
                [island[1]],
                arrayFold(
                    (starts, time) -> if(time > starts[-1] + {{ longest }}, arrayPushBack(starts, time), starts),
                    island,
                    [island[1]]
                )
            ) as island_starts,
            arrayEnumerate(island_starts)
        ),
        arraySplit(
            (time, previous) -> {{ derived }} and time - previous > {{ timeout }},
            {{ times }},
            arrayPushFront(arrayPopBack({{ times }}), {{ times }}[1])
        )
    ))
{% endmacro %}


{# The cut sessions before this build. #}
{% macro session_facts_before() -%}
    {{ before('int_session_facts', {
        'tenant_id': 'String', 'session_key': 'String', 'session_start': "DateTime64(6, \\'UTC\\')",
        'session_id': 'String', 'session_date': 'Date', 'island_start': "DateTime64(6, \\'UTC\\')",
        'island_end': "DateTime64(6, \\'UTC\\')"
    }) }}
{%- endmacro %}


{# Sessions with their numbers: those of the people whom a CTE with tenant_id and user_id names; none: of everybody. #}
{% macro numbered_sessions(people=none) %}
    select
        tenant_id,
        user_id,
        session_start,
        session_id,
        session_key,
        session_date,
        is_identified,
        became_identified,
        toUInt32(
            row_number() over (partition by tenant_id, user_id order by session_start, session_id)
        ) as session_number
    from {{ ref('int_user_sessions') }}
    {%- if people %}
    where {{ among(['tenant_id', 'user_id'], people) }}
    {%- endif %}
{% endmacro %}


{# Columns of which a session keeps the first value that is not empty, under the same name. #}
{% macro session_first_columns() %}
    {{- return([
        'utm_source', 'utm_medium', 'utm_campaign', 'utm_term', 'utm_content', 'browser', 'os', 'device_type',
        'user_agent', 'ip_address', 'country', 'city', 'timezone'
    ]) -}}
{% endmacro %}


{# The values with the most sessions, with their counts, most first, ties alphabetical: an array of (value, sessions). #}
{% macro top_values(column) -%}
    arraySlice(
        arraySort(
            pair -> (-toInt64(pair.2), pair.1),
            arrayZip(
                (sumMapIf([{{ column }}], [toUInt64(1)], {{ column }} != '') as {{ column }}_counts).1,
                {{ column }}_counts.2
            )
        ),
        1,
        {{ var('top_list_size') }}
    )
{%- endmacro %}


{#
    What a session says by itself, as aggregates over its events; `place` is the place of each in order. `events` is
    the relation's name: some aggregates bear the name of a column that they read.
#}
{% macro session_facts(events) %}
tenant_id,
session_key,
any(session_id) as sent_session_id,
max(timestamp) as session_end,
argMin(distinct_id, place) as first_distinct_id,
argMax(distinct_id, place) as last_distinct_id,
argMin(is_identified, place) as first_says_identified,
maxMap(map(distinct_id, place)) as last_seen,
maxMapIf(map(distinct_id, place), is_identified) as last_said,
count() as events_count,
countIf(is_pageview) as pageviews_count,
{% for column, name in {
    'current_url': 'entry_url', 'host': 'entry_host', 'pathname': 'entry_pathname',
    'referrer': 'entry_referrer', 'referring_domain': 'entry_referring_domain'
}.items() -%}
{{ first_value_of(column) }} as {{ name }},
{% endfor -%}
{{ last_value_of('current_url') }} as exit_url,
{{ last_value_of('pathname') }} as exit_pathname,
{% for column in session_first_columns() -%}
{{ first_value_of(events ~ '.' ~ column) }} as {{ column }},
{% endfor -%}
minMapIf(
    mapApply((name, value) -> (toString(name), (place, value)), click_ids), notEmpty(click_ids)
) as first_click_ids,
sum(toDecimal128(coalesce({{ events }}.revenue, 0), 6)) as revenue
{%- endmacro %}
