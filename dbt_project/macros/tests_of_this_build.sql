{#
    dbt's hook for the `where` of data tests. Without one, a test of a table that says which build wrote each row looks
    only at the rows of this build: testing, too, costs what changed. Checks of what is published look at whole tables.
#}
{% macro get_where_subquery(relation) -%}
    {%- set where = config.get('where', '') -%}
    {%- if where -%}
        (select * from {{ relation }} where {{ where }})
    {%- elif execute and not tests_whole_tables() and '_build_seq' in adapter.get_columns_in_relation(relation) | map(attribute='name') -%}
        (
            select *
            from {{ relation }}
            where _build_seq > (select from_seq from {{ relation.schema }}.int_build_range)
        )
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}


{# True when a person asked for checks of what is published, rather than of what a build wrote. #}
{% macro tests_whole_tables() %}
    {{- return(env_var('FOOTFALL_WHOLE_TABLES', '') == '1') -}}
{% endmacro %}
