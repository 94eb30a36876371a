{#
    The place of an event in order: by time, of the same moment by id. Bytes that sort as the pair does, because the
    database compares two strings several times faster than two tuples. (The sign bit is turned, so that moments before
    1970 come before those after.)
#}
{% macro place_of_event(time, event_id) -%}
    concat(reverse(reinterpretAsFixedString(bitXor(toUInt64({{ time }}), bitShiftLeft(toUInt64(1), 63)))), {{ event_id }})
{%- endmacro %}


{# What the facts of a session need to know of each of its events. #}
{% macro place_in_session(events) -%}
    toUnixTimestamp64Micro({{ events }}.timestamp) as time,
    {{ place_of_event('time', events ~ '.event_id') }} as place,
    not (current_url = '' and host = '' and pathname = '') as has_page,
    -- in the order of entries, events with a page come before those without
    concat(if(has_page, '0', '1'), place) as entry_place,
    {{ names_campaign() }} as names_campaign
{%- endmacro %}


{# True for an event that says which campaign or click led to it. #}
{% macro names_campaign() -%}
    ({% for utm in utm_columns() %}{{ utm }} != '' or {% endfor %}notEmpty(click_ids))
{%- endmacro %}


{# The first value of a column in a session that is not empty, by the places of events. #}
{% macro first_value_of(column) %}argMinIf({{ column }}, place, {{ column }} != ''){% endmacro %}


{# Sessions of events without a session id are derived from the silence between events. #}
{% macro is_derived(session_key) %}startsWith({{ session_key }}, 'd:'){% endmacro %}


{#
    The keys that the ids on an event give to events without a session id: a device's, an anonymous id's and a distinct
    id's, whichever of them such an event goes by.
#}
{% macro device_keys() -%}
    arrayMap(id -> concat('d:', id), arrayDistinct(arrayFilter(id -> id != '', [device_id, anonymous_id, distinct_id])))
{%- endmacro %}


{# The same of many events, as an aggregate. #}
{% macro device_keys_of_all() -%}
    arrayMap(
        id -> concat('d:', id),
        arrayDistinct(arrayConcat(
            groupUniqArrayIf(device_id, device_id != ''),
            groupUniqArrayIf(anonymous_id, anonymous_id != ''),
            groupUniqArrayIf(distinct_id, distinct_id != '')
        ))
    )
{%- endmacro %}


{# The days from one moment to another, as an array. #}
{% macro days_between(from_at, to_at) -%}
    arrayMap(day -> toDate({{ from_at }}) + day, range(toUInt32(toDate({{ to_at }}) - toDate({{ from_at }})) + 1))
{%- endmacro %}


{#
    True for events of the session keys in a feed (with session_key, from_at and to_at) on the days of its stretches;
    `of` is the events' relation. What is asked is the sort key.
#}
{% macro on_days_of(feed, of='int_events') -%}
    {{ of }}.session_key in (select session_key from {{ feed }})
    and ({{ of }}.tenant_id, {{ of }}.event_date, {{ of }}.session_key) in (
        select tenant_id, arrayJoin({{ days_between('from_at', 'to_at') }}), session_key from {{ feed }}
    )
{%- endmacro %}


{#
    Which session of a device is going on, and from when on: one row per device and moment at which that can change, with
    the session that started last among those that go on then; an empty session key if none does.

    `sessions` needs tenant_id, device_key, session_start, session_key and going_until.

    A moment lies in as many sessions as are open side by side, and there may be thousands. So neither is joined with the
    other: the moments of a device are numbered, and a session takes the numbers from its start to its end as whole
    blocks of a power of two, a few for each size. A number lies in one block of each size, and asks only those.
#}
{% macro sessions_going_on(sessions) %}
    with marks as (
        select
            tenant_id,
            device_key,
            session_start,
            session_key,
            at,
            dense_rank() over (partition by tenant_id, device_key order by at) as number
        from {{ sessions }}
        array join [session_start, addMicroseconds(going_until, 1)] as at
    ),

    blocks as (
        select
            tenant_id,
            device_key,
            block,
            max((session_start, session_key)) as latest
        from (
            select
                tenant_id,
                device_key,
                session_start,
                session_key,
                arrayJoin({{ blocks_between('min(number)', 'max(number)') }}) as block
            from marks
            group by tenant_id, device_key, session_start, session_key
        )
        group by tenant_id, device_key, block
    ),

    moments as (
        select distinct
            tenant_id,
            device_key,
            at,
            arrayJoin(arrayFilter(
                block -> block.2 > 0,
                arrayMap(size -> (size, bitShiftRight(number, size)), {{ block_sizes() }})
            )) as block
        from marks
    )

    select
        moments.tenant_id as tenant_id,
        moments.device_key as device_key,
        moments.at as from_at,
        max(blocks.latest).2 as session_key
    from moments
    left join blocks
        on
            moments.tenant_id = blocks.tenant_id
            and moments.device_key = blocks.device_key
            and moments.block = blocks.block
    group by tenant_id, device_key, from_at
{% endmacro %}


{#
    The numbers from one on up to before another, as blocks (size, place): 2^size numbers each, from place * 2^size on.
    Of each size no more than two: one at the front, where a larger block would begin too early, and one at the end.
#}
{% macro blocks_between(first, end) -%}
    arrayMap(
        block -> (block.1, block.2),
        arrayFilter(
            block -> block.3,
            arrayFlatten(arrayMap(
                (size, front, back) -> [
                    (size, front, front < back and bitTest(front, 0)),
                    (size, back - 1, front < back and bitTest(back, 0))
                ],
                {{ block_sizes() }},
                arrayMap(size -> bitShiftRight({{ first }} + bitShiftLeft(toUInt64(1), size) - 1, size), {{ block_sizes() }}),
                arrayMap(size -> bitShiftRight({{ end }}, size), {{ block_sizes() }})
            ))
        )
    )
{%- endmacro %}


{# 2^32 is more than the sessions that a device can have. #}
{% macro block_sizes() %}range(toUInt8(32)){% endmacro %}


{#
    The sessions of one session key (a session id, or a device without session ids) from its sorted event times in
    microseconds: an array of (session start, start of its island, end of its island, number in its island), in order.
    Silence ends an island, if the key is derived; a session that goes on for too long is cut within its island.
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
        'browser', 'os', 'device_type', 'user_agent', 'ip_address', 'country', 'city', 'timezone'
    ]) -}}
{% endmacro %}


{% macro utm_columns() %}
    {{- return(['utm_source', 'utm_medium', 'utm_campaign', 'utm_term', 'utm_content']) -}}
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
    What a session says by itself, as aggregates over its events; of each `place_in_session` is known. Of entry and exit
    all is that of one event, and so are UTM values and click ids, so that two campaigns are never mixed. `events` is the
    relation's name: some aggregates bear the name of a column that they read.
#}
{% macro session_facts(events) %}
tenant_id,
session_key,
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
argMin({{ column }}, entry_place) as {{ name }},
{% endfor -%}
arraySort(groupUniqArrayIf(host, host != '')) as own_hosts,
argMaxIf(current_url, place, has_page) as exit_url,
argMaxIf(pathname, place, has_page) as exit_pathname,
{% for column in session_first_columns() -%}
{{ first_value_of(events ~ '.' ~ column) }} as {{ column }},
{% endfor -%}
{% for column in utm_columns() + ['click_ids'] -%}
argMinIf({{ events }}.{{ column }}, place, names_campaign) as {{ column }},
{% endfor -%}
sum(toDecimal128(coalesce({{ events }}.revenue, 0), 6)) as revenue
{%- endmacro %}
