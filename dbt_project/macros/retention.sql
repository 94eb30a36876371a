{# The number of the day, week (from Monday) or month that a date lies in; the next one's number is one more. #}
{% macro period_number_of(date, period) -%}
    multiIf(
        {{ period }} = 'day', toInt32({{ date }}),
        -- day 0, 1970-01-01, was a Thursday
        {{ period }} = 'week', toInt32(intDiv(toInt32({{ date }}) + 3, 7)),
        toInt32(toYear({{ date }}) * 12 + toMonth({{ date }}) - 1)
    )
{%- endmacro %}


{# The first day of the period with this number. #}
{% macro period_start(number, period) -%}
    multiIf(
        {{ period }} = 'day', toDate({{ number }}),
        {{ period }} = 'week', toDate({{ number }} * 7 - 3),
        makeDate(intDiv({{ number }}, 12), {{ number }} % 12 + 1, 1)
    )
{%- endmacro %}


{# The last period after the cohort's that is followed. #}
{% macro last_period_number(period) -%}
    multiIf(
        {{ period }} = 'day', {{ var('retention_max_days') }},
        {{ period }} = 'week', {{ var('retention_max_weeks') }},
        {{ var('retention_max_months') }}
    )
{%- endmacro %}


{# What an event and a filter pick out, as a number: definitions that pick the same share it. #}
{% macro matcher_id(event, filter) -%}
    sipHash64({{ event }}, {{ filter }})
{%- endmacro %}


{#
    How many people each cell (retention definition, cohort, period) holds: one row per cell with anybody.

    `activity` has a row per person, definition and date on which the person did the target (is_target) or return
    (is_return) event, with the definition's kind and period, and a `sign`: people are counted apart by sign and their
    cells added (+1) or taken away (-1), so that what a change did to the cells is the sum over its before and after.

    first_time: a person's cohort is the period of their first target event. recurring: every period with one.
    Everybody is in period 0 of their cohort; in a later one who has a return event in exactly that period.
#}
{% macro retention_cells(activity) %}
    with people as (
        select
            tenant_id,
            retention_id,
            kind,
            period,
            user_id,
            sign,
            groupUniqArrayIf({{ period_number_of('date', 'period') }}, is_target) as targets,
            groupUniqArrayIf({{ period_number_of('date', 'period') }}, is_return) as returns
        from {{ activity }}
        group by tenant_id, retention_id, kind, period, user_id, sign
        having notEmpty(targets)
    ),

    members as (
        select
            tenant_id,
            retention_id,
            period,
            sign,
            arrayJoin(if(kind = 'first_time', [arrayMin(targets)], targets)) as cohort,
            arrayJoin(arrayPushFront(
                arrayFilter(
                    number -> number between 1 and {{ last_period_number('period') }},
                    arrayMap(return -> return - cohort, returns)
                ),
                0
            )) as period_number
        from people
    )

    select
        tenant_id,
        retention_id,
        {{ period_start('cohort', 'period') }} as cohort_date,
        toUInt16(period_number) as period_number,
        sum(toInt64(sign)) as people_count
    from members
    group by tenant_id, retention_id, cohort_date, period_number
    having people_count != 0
{% endmacro %}
