{# True if a person counts as converted by this event, by the seed conversion_events. #}
{% macro is_conversion(tenant_id, event, revenue) -%}
    {#- a tenant with rows of its own goes by those alone -#}
    {%- set lister -%}
        if({{ tenant_id }} in (select tenant_id from {{ ref('conversion_events') }}), {{ tenant_id }}, '')
    {%- endset -%}
    (
        ({{ lister }}, {{ event }}) in (select tenant_id, event from {{ ref('conversion_events') }} where not needs_revenue)
        or ({{ lister }}, '*') in (select tenant_id, event from {{ ref('conversion_events') }} where not needs_revenue)
        or {{ revenue }} is not null
        and (
            ({{ lister }}, {{ event }}) in (select tenant_id, event from {{ ref('conversion_events') }} where needs_revenue)
            or ({{ lister }}, '*') in (select tenant_id, event from {{ ref('conversion_events') }} where needs_revenue)
        )
    )
{%- endmacro %}


{#
    One row per (conversion, model, credited touch): how each of the five models shares a conversion among the touches
    of its person in the days before it, its own moment included. Of many touches the first and the latest count, so
    that nobody's conversions cost more than so many rows each. A conversion without a touch goes to a stand-in: a touch
    without a session.

    `conversions` needs tenant_id, user_id, conversion_at and conversion_event_id; `touches` needs tenant_id, user_id,
    session_start and session_id. Other columns of theirs that are wanted are listed in the arguments.

    A person's touches are numbered. Which numbers a conversion's days hold is counted in one walk through the touches
    and conversions of the person, and only those that count are looked up.

    A share is `weight` of `total_weight`, whole numbers, so nothing depends on the order in which floats are added;
    `running_weight` is the sum of the weights of this touch and those before it.
#}
{% macro attribution_shares(conversions, conversion_columns, touches, touch_columns) %}
    {%- set conversion = 'tenant_id, user_id, conversion_at, conversion_event_id' -%}
    {%- set window = '(' ~ var('attribution_window_days') ~ ' * 86400000000)' -%}
    {%- set half_life = '(' ~ var('attribution_half_life_days') ~ ' * 86400000000)' -%}
    with
    numbered_touches as (
        select
            tenant_id,
            user_id,
            session_id,
            {% for column in touch_columns %}toString({{ column }}) as {{ column }},
            {% endfor -%}
            toUnixTimestamp64Micro(session_start) as touched_micros,
            toInt64(row_number() over (
                partition by tenant_id, user_id order by session_start, session_id
            )) as touch_number
        from {{ touches }}
    ),

    -- of the same moment: 0 the begin of a conversion's days, 1 a touch, 2 the conversion itself
    marks as (
        select
            tenant_id,
            user_id,
            toUnixTimestamp64Micro(session_start) as at_micros,
            1 as kind,
            toDateTime64(0, 6, 'UTC') as conversion_at,
            '' as conversion_event_id
        from {{ touches }}

        union all

        select
            tenant_id,
            user_id,
            toUnixTimestamp64Micro(conversion_at) - if(kind = 0, {{ window }}, 0) as at_micros,
            arrayJoin([0, 2]) as kind,
            conversion_at,
            conversion_event_id
        from {{ conversions }}
    ),

    counted_marks as (
        select
            {{ conversion }},
            kind,
            sum(toInt64(kind = 1)) over (
                partition by tenant_id, user_id
                order by at_micros, kind
                rows between unbounded preceding and current row
            ) as touches_so_far
        from marks
    ),

    spans as (
        select
            {{ conversion }},
            minIf(touches_so_far, kind = 0) as touches_before,
            maxIf(touches_so_far, kind = 2) as touches_until,
            least(touches_until - touches_before, {{ var('attribution_max_touches') }}) as touches_count
        from counted_marks
        where kind != 1
        group by {{ conversion }}
    ),

    -- the first touch of the span, then the latest of it; number 0 is the stand-in
    places as (
        select
            conversions.tenant_id as tenant_id,
            conversions.user_id as user_id,
            conversions.conversion_at as conversion_at,
            conversions.conversion_event_id as conversion_event_id,
            {% for column in conversion_columns %}conversions.{{ column }} as {{ column }},
            {% endfor -%}
            greatest(spans.touches_count, 1) as touches_count,
            toInt64(arrayJoin(range(1, toUInt64(touches_count) + 1))) as place,
            multiIf(
                spans.touches_count = 0, 0,
                place = 1, spans.touches_before + 1,
                spans.touches_until - spans.touches_count + place
            ) as touch_number
        from spans
        inner join {{ conversions }} as conversions
            on
                spans.tenant_id = conversions.tenant_id
                and spans.user_id = conversions.user_id
                and spans.conversion_at = conversions.conversion_at
                and spans.conversion_event_id = conversions.conversion_event_id
    ),

    numbered as (
        select
            places.tenant_id as tenant_id,
            places.user_id as user_id,
            places.conversion_at as conversion_at,
            places.conversion_event_id as conversion_event_id,
            {% for column in conversion_columns %}places.{{ column }} as {{ column }},
            {% endfor -%}
            touches.session_id as session_id,
            {% for column in touch_columns %}touches.{{ column }} as {{ column }},
            {% endfor -%}
            if(
                places.touch_number = 0,
                0,
                toUnixTimestamp64Micro(places.conversion_at) - touches.touched_micros
            ) as age_micros,
            places.place as place,
            places.touches_count as touches_count
        from places
        left join numbered_touches as touches
            on
                places.tenant_id = touches.tenant_id
                and places.user_id = touches.user_id
                and places.touch_number = touches.touch_number
    ),

    weighted as (
        select
            *,
            arrayJoin([
                ('first', toInt64(place = 1)),
                ('last', toInt64(place = touches_count)),
                ('linear', toInt64(1)),
                ('position', {{ position_weight('place', 'touches_count') }}),
                ('time_decay', {{ decay_weight('age_micros', half_life) }})
            ]) as share,
            share.1 as model,
            share.2 as weight
        from numbered
    )

    select
        {{ conversion }},
        {% for column in conversion_columns + touch_columns %}{{ column }},
        {% endfor -%}
        session_id,
        model,
        weight,
        sum(weight) over (partition by {{ conversion }}, model) as total_weight,
        sum(weight) over (
            partition by {{ conversion }}, model
            order by place
            rows between unbounded preceding and current row
        ) as running_weight
    from weighted
    where weight > 0
{% endmacro %}


{# 40 % to the first, 40 % to the last, 20 % among those between; two touches share evenly, one takes all. #}
{% macro position_weight(place, touches_count) -%}
    toInt64(multiIf(
        {{ touches_count }} <= 2, 1,
        {{ place }} in (1, {{ touches_count }}), 2 * ({{ touches_count }} - 2),
        1
    ))
{%- endmacro %}


{# Half the weight for every half-life between touch and conversion, as a whole number: 2^40 at the conversion. #}
{% macro decay_weight(age_micros, half_life_micros) -%}
    toInt64(round(exp2(40 - {{ age_micros }} / {{ half_life_micros }})))
{%- endmacro %}


{#
    The part of a conversion's revenue that a share earns, in millionths: what all shares up to it have earned, less
    what those before it have. So the parts add up to the whole, to the last millionth. In 256 bits, because an amount
    may have 38 digits and a weight 13.
#}
{% macro credited_revenue(revenue, weight, running_weight, total_weight) -%}
    {%- set millionths = 'toInt256(toDecimal256(' ~ revenue ~ ', 6) * 1000000)' -%}
    toDecimal128(
        (
            intDiv({{ millionths }} * {{ running_weight }}, {{ total_weight }})
            - intDiv({{ millionths }} * ({{ running_weight }} - {{ weight }}), {{ total_weight }})
        ) * toDecimal256('0.000001', 6),
        6
    )
{%- endmacro %}


{# Who came by no touch came Direct. #}
{% macro or_direct(channel) -%}
    if({{ channel }} = '', 'Direct', toString({{ channel }}))
{%- endmacro %}
