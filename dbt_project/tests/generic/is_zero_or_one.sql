{# Each of the columns says yes (1) or no (0) in every row. #}
{% test is_zero_or_one(model, columns) %}
    select {{ columns | join(', ') }}
    from {{ model }}
    where not ({% for column in columns %}{{ column }} in (0, 1){{ ' and ' if not loop.last }}{% endfor %})
{% endtest %}
