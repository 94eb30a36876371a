{#
    Every model lives in the database that dbt was told: the one where builds happen, or the published one for checks and
    docs of what people read. What is never published is always where it is built.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if node.name.startswith(('stg_', 'changed_')) and not target.schema.endswith('_next') -%}
        {{- target.schema -}}_next
    {%- else -%}
        {{- target.schema -}}
    {%- endif -%}
{%- endmacro %}
