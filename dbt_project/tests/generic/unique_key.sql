{#
    No two rows of the model share the key. Only keys that this build wrote are looked up, so that the test costs what
    changed; the rest was tested by the build that wrote it. `whole`: a small table that every build writes again.
#}
{% test unique_key(model, columns, whole=false) %}
    {#- all rows: the macro get_where_subquery would otherwise leave only those of this build -#}
    {{ config(where='true') }}
    {%- set keys = columns | join(', ') %}
    select
        {{ keys }},
        count() as rows_count
    from {{ model }}
    {% if not whole and not is_rebuilt() and not tests_whole_tables() -%}
    where
        -- most rows are none of them: a number is looked up much faster than a wide key
        cityHash64({{ keys }}) in (
            select cityHash64({{ keys }}) from {{ model }} where {{ of_this_build() }}
        )
        and ({{ keys }}) in (select {{ keys }} from {{ model }} where {{ of_this_build() }})
    {% endif -%}
    group by {{ keys }}
    having count() > 1
{% endtest %}
