{# None of the columns is the empty string, which here means "absent". #}
{% test is_not_empty(model, columns) %}
    select {{ columns | join(', ') }}
    from {{ model }}
    where {% for column in columns %}{{ column }} = ''{{ ' or ' if not loop.last }}{% endfor %}

{% endtest %}
