{#
    Rows that this build wrote, for tests: of a table that is rebuilt, all. (A build that only rebuilds handles no load. In
    its other tables these are the rows of the build before, which were tested then.)
#}
{% macro of_this_build() %}_build_seq >= (select to_seq from {{ ref('int_build_range') }}){% endmacro %}


{# Of tables, all rows of the tenants in which this build changed something; if one of them is rebuilt, of all tenants. #}
{% macro of_changed_tenants(tables) %}
    where
        (select max(hasAny(rebuilt_models, {{ tables }})) from {{ ref('int_build_range') }})
        or tenant_id in (select tenant_id from {{ ref('changed_users') }})
{% endmacro %}


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
            where _build_seq >= (select to_seq from {{ relation.schema }}.int_build_range)
        )
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}


{# True when a person asked for checks of what is published, rather than of what a build wrote. #}
{% macro tests_whole_tables() %}
    {{- return(env_var('FOOTFALL_WHOLE_TABLES', '') == '1') -}}
{% endmacro %}
