{#
    The attempts of one person at one funnel, as an array of paths. A path is an array of the steps reached,
    (step_number, at, event_id), the event that started the attempt first.

    Arguments name columns of a row per person and funnel:
        steps           Array(Tuple(step_number UInt16, events Array(Tuple(at Int64, event_id String)))): the person's
                        events that match each step, steps and events in order; `at` in microseconds since 1970
        mode            ordered, strict or unordered
        window          microseconds from an attempt's start to the last moment that counts
        starts          Array(Tuple(step_number, at, event_id)): the events an attempt starts at
        others          Array(Int64): for strict, the times of all events of the person; else empty
        choices         how many events a step must look at to find one that is not used yet: 1 if no event of the
                        person matches two steps, else the number of steps

    Step by step, all attempts move on together. Attempts and the step's events are sorted into one array by time,
    attempts before the events of the same moment; filling from the end hands every attempt its earliest event.
    So a person costs n log n, however many events and attempts.
#}
{% macro funnel_attempts(steps, mode, window, starts, others, choices) -%}
    {%- set event = 'Tuple(Int64, String)' -%}
    {%- set path = 'Array(Tuple(UInt16, Int64, String))' -%}
    {%- set item = 'Tuple(at Int64, kind UInt8, event_id String, path ' ~ path ~ ', next Array(' ~ event ~ '))' -%}
    {#- every event of the step with those after it -#}
    {%- set next_events -%}
        arrayFold(
            (chains, round) -> arrayMap(
                (event, after) -> arrayPushFront(after, event),
                step.2,
                arrayPushBack(arrayPopFront(chains), cast([], 'Array({{ event }})'))
            ),
            range({{ choices }}),
            arrayMap(event -> cast([], 'Array({{ event }})'), step.2)
        )
    {%- endset -%}
    {#- kinds: 0 any event of the person, 1 an attempt, 2 an event of the step -#}
    {%- set items -%}
        arraySort(
            item -> (item.1, item.2, item.3),
            arrayConcat(
                arrayMap(
                    path -> cast(
                        (if({{ mode }} = 'unordered', path[1].2, path[-1].2), 1, '', path, []), '{{ item }}'
                    ),
                    attempts
                ),
                arrayMap(
                    (event, next) -> cast((event.1, 2, event.2, [], next), '{{ item }}'), step.2, {{ next_events }}
                ),
                arrayMap(at -> cast((at, 0, '', [], []), '{{ item }}'), {{ others }}),
                [
                    cast((9223372036854775807, 0, '', [], []), '{{ item }}'),
                    cast((9223372036854775807, 2, '', [], []), '{{ item }}')
                ]
            )
        )
    {%- endset -%}
    arrayFold(
        (attempts, step) -> arrayMap(
            item -> item.1,
            arrayFilter(
                item -> item.2 = 1,
                arrayMap(
                    (path, kind, next, other_at) -> (
                        arrayConcat(
                            path,
                            arrayMap(
                                event -> cast((step.1, event.1, event.2), 'Tuple(UInt16, Int64, String)'),
                                arrayFilter(
                                    event ->
                                        event.1 <= path[1].2 + {{ window }}
                                        and if(
                                            {{ mode }} = 'unordered',
                                            not has(path.1, step.1),
                                            path[-1].1 = step.1 - 1
                                        )
                                        and ({{ mode }} != 'strict' or event.1 <= other_at),
                                    arraySlice(
                                        arrayFilter(
                                            event -> not arrayExists(
                                                used -> used.2 = event.1 and used.3 = event.2, path
                                            ),
                                            next
                                        ),
                                        1,
                                        1
                                    )
                                )
                            )
                        ),
                        kind
                    ),
                    {{ items }}.4,
                    {{ items }}.2,
                    arrayReverseFill((next, kind) -> kind = 2, {{ items }}.5, {{ items }}.2),
                    arrayReverseFill((at, kind) -> kind = 0, {{ items }}.1, {{ items }}.2)
                )
            )
        ),
        {{ steps }},
        arrayMap(start -> cast([start], '{{ path }}'), {{ starts }})
    )
{%- endmacro %}


{#
    The best attempt of every person, funnel and entry day, one row per step reached. In an unordered funnel step k is
    the k-th that the person reached, in the order of (timestamp, event_id).

    Arguments name relations (CTEs):
        matches     tenant_id, funnel_id, user_id, step_number, timestamp, event_id: the events that match a step; for
                    strict funnels also every event of the person, as step 0
        funnels     tenant_id, funnel_id, mode, window_seconds, step_names (in the order of the steps): one row per funnel
        people      tenant_id, funnel_id, user_id, from_date, to_date: the entry days to work out; none: all of them
#}
{% macro funnel_entries(matches, funnels, people=none) %}
with funnel_person_steps as (
    select
        tenant_id,
        funnel_id,
        user_id,
        step_number,
        arraySort(groupArray((toUnixTimestamp64Micro(timestamp), event_id))) as events
    from {{ matches }}
    group by tenant_id, funnel_id, user_id, step_number
),

funnel_people as (
    select
        tenant_id,
        funnel_id,
        user_id,
        arraySort(groupArrayIf((step_number, events), step_number > 0)) as steps,
        arrayDistinct(arrayFlatten(groupArrayIf(events.1, step_number = 0))) as others
    from funnel_person_steps
    group by tenant_id, funnel_id, user_id
),

funnel_starts as (
    select
        tenant_id,
        funnel_id,
        user_id,
        steps,
        others,
        funnels.mode as mode,
        funnels.step_names as step_names,
        toInt64(funnels.window_seconds) * 1000000 as window_micros,
        -- in any order means: from any step
        arrayFilter(
            start ->
                {%- if people %}
                toDate(toUInt16(intDiv(start.2, 86400000000))) between people.from_date and people.to_date
                {%- else %}
                1
                {%- endif %},
            arrayFlatten(arrayMap(
                step -> arrayMap(event -> (step.1, event.1, event.2), step.2),
                arrayFilter(step -> step.1 = 1 or mode = 'unordered', steps)
            ))
        ) as starts,
        arrayFlatten(steps.2) as events,
        if(length(events) = length(arrayDistinct(events)), 1, length(steps)) as choices
    from funnel_people
    inner join {{ funnels }} as funnels
        on funnel_people.tenant_id = funnels.tenant_id and funnel_people.funnel_id = funnels.funnel_id
    {%- if people %}
    inner join {{ people }} as people
        on
            funnel_people.tenant_id = people.tenant_id
            and funnel_people.funnel_id = people.funnel_id
            and funnel_people.user_id = people.user_id
    {%- endif %}
    where notEmpty(starts)
),

-- most steps first; ties: the earliest start, then the smallest event id, then the earliest step
funnel_ranked as (
    select
        tenant_id,
        funnel_id,
        user_id,
        mode,
        step_names,
        arraySort(
            path -> (intDiv(path[1].2, 86400000000), -length(path), path[1].2, path[1].3, path[1].1),
            {{ funnel_attempts('steps', 'mode', 'window_micros', 'starts', 'others', 'choices') }}
        ) as attempts,
        arrayMap(path -> intDiv(path[1].2, 86400000000), attempts) as days,
        arrayFilter(
            (path, day, day_before) -> day != day_before,
            attempts, days, arrayPushFront(arrayPopBack(days), -1)
        ) as best
    from funnel_starts
)

select
    tenant_id,
    funnel_id,
    user_id,
    toDate(toUInt16(intDiv(attempt[1].2, 86400000000))) as entry_date,
    toUInt16(place) as step_number,
    step_names[step.1] as step_name,
    step.3 as event_id,
    fromUnixTimestamp64Micro(step.2, 'UTC') as timestamp,
    if(place = 1, null, gap / 1000000) as seconds_from_previous
from funnel_ranked
array join best as attempt
array join
    if(mode = 'unordered', arraySort(reached -> (reached.2, reached.3), attempt), attempt) as step,
    arrayDifference(arraySort(attempt.2)) as gap,
    arrayEnumerate(attempt) as place
{% endmacro %}
