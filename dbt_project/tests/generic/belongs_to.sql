{#
    Every row has its parent: its `columns` are found as `to_columns` (by default the same names) of the model `to`.
    Of the parent only the keys asked for are read, so that the test costs what changed.
#}
{% test belongs_to(model, columns, to, to_columns=none) %}
    select {{ columns | join(', ') }}
    from {{ model }}
    where ({{ columns | join(', ') }}) not in (
        select {{ (to_columns or columns) | join(', ') }}
        from {{ to }}
        where {{ among(columns, model, own_columns=to_columns) }}
    )
{% endtest %}
