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
    of its person in the days before it, its own moment included. A conversion without a touch goes to a stand-in: a
    touch without a session.

    `conversions` needs tenant_id, user_id, conversion_at and conversion_event_id; `touches` needs tenant_id, user_id,
    session_start and session_id. Other columns of theirs that are wanted are listed in the arguments.

    A share is `weight` of `total_weight`, whole numbers, so nothing depends on the order in which floats are added;
    `running_weight` is the sum of the weights of this touch and those before it.
#}
{% macro attribution_shares(conversions, conversion_columns, touches, touch_columns) %}
    {%- set conversion = 'tenant_id, user_id, conversion_at, conversion_event_id' -%}
    {%- set window = '(' ~ var('attribution_window_days') ~ ' * 86400000000)' -%}
    {%- set half_life = '(' ~ var('attribution_half_life_days') ~ ' * 86400000000)' -%}
    with
    -- a touch that counts lies in the conversion's stretch of one window, or in the stretch before
    placed_conversions as (
        select
            {{ conversion }},
            {% for column in conversion_columns %}{{ column }},
            {% endfor -%}
            toUnixTimestamp64Micro(conversion_at) as converted_micros,
            intDiv(converted_micros, {{ window }}) - arrayJoin([0, 1]) as stretch
        from {{ conversions }}
    ),

    placed_touches as (
        select
            tenant_id,
            user_id,
            session_start,
            session_id,
            {% for column in touch_columns %}{{ column }},
            {% endfor -%}
            toUnixTimestamp64Micro(session_start) as touched_micros,
            intDiv(touched_micros, {{ window }}) as stretch
        from {{ touches }}
    ),

    candidates as (
        select
            conversions.tenant_id as tenant_id,
            conversions.user_id as user_id,
            conversions.conversion_at as conversion_at,
            conversions.conversion_event_id as conversion_event_id,
            {% for column in conversion_columns %}conversions.{{ column }} as {{ column }},
            {% endfor -%}
            touches.session_start as session_start,
            touches.session_id as session_id,
            {% for column in touch_columns %}toString(touches.{{ column }}) as {{ column }},
            {% endfor -%}
            conversions.converted_micros - touches.touched_micros as age_micros,
            0 as is_stand_in
        from placed_conversions as conversions
        inner join placed_touches as touches
            on
                conversions.tenant_id = touches.tenant_id
                and conversions.user_id = touches.user_id
                and conversions.stretch = touches.stretch
        where age_micros between 0 and {{ window }}

        union all

        select
            {{ conversion }},
            {% for column in conversion_columns %}{{ column }},
            {% endfor -%}
            conversion_at as session_start,
            '' as session_id,
            {% for column in touch_columns %}'' as {{ column }},
            {% endfor -%}
            toInt64(0) as age_micros,
            1 as is_stand_in
        from {{ conversions }}
    ),

    numbered as (
        select
            *,
            toInt64(row_number() over (
                partition by {{ conversion }} order by is_stand_in, session_start, session_id
            )) as place,
            -- the stand-in is one of a conversion's candidates and does not count, unless it is alone
            greatest(toInt64(count() over (partition by {{ conversion }})) - 1, 1) as touches_count
        from candidates
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
        where place <= touches_count
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
    what those before it have. So the parts add up to the whole, to the last millionth.
#}
{% macro credited_revenue(revenue, weight, running_weight, total_weight) -%}
    {%- set millionths = 'toInt128(toDecimal128(' ~ revenue ~ ', 6) * 1000000)' -%}
    toDecimal64(
        (
            intDiv({{ millionths }} * {{ running_weight }}, {{ total_weight }})
            - intDiv({{ millionths }} * ({{ running_weight }} - {{ weight }}), {{ total_weight }})
        ) * toDecimal128('0.000001', 6),
        6
    )
{%- endmacro %}


{# Who came by no touch came Direct. #}
{% macro or_direct(channel) -%}
    if({{ channel }} = '', 'Direct', toString({{ channel }}))
{%- endmacro %}
