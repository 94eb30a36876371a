{#
    Descriptions as comments in the warehouse, for tables that people see. dbt-clickhouse's own writes all of a table's
    comments again in every build; here only those that differ are written, and nearly always none does: a clone has its
    comments. Feeds are made again by every build and never published, so they have none.
#}
{% macro clickhouse__persist_docs(relation, model, for_relation, for_columns) %}
    {%- if model.name.startswith('changed_') -%}{{ return('') }}{%- endif -%}
    {%- set wanted = {} -%}
    {%- if for_relation and config.persist_relation_docs() -%}
        {%- do wanted.update({'': model.description}) -%}
    {%- endif -%}
    {%- if for_columns and config.persist_column_docs() -%}
        {%- for name, column in model.columns.items() -%}
            {%- do wanted.update({name: column.description}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- set comments = run_query(
        "select '' as column_name, comment from system.tables where database = '" ~ relation.schema
        ~ "' and name = '" ~ relation.identifier
        ~ "' union all select name as column_name, comment from system.columns where database = '" ~ relation.schema
        ~ "' and table = '" ~ relation.identifier ~ "'"
    ) -%}
    {%- set changes = [] -%}
    {%- for name, comment in comments.rows -%}
        {%- set said = wanted.get(name, '') | trim -%}
        {%- if said != comment -%}
            {%- set what = 'comment column ' ~ adapter.quote(name) if name else 'modify comment' -%}
            {%- do changes.append(what ~ ' ' ~ clickhouse_escape_comment(said) | trim) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if changes -%}
        {%- do run_query('alter table ' ~ relation ~ ' ' ~ changes | join(', ')) -%}
    {%- endif -%}
{% endmacro %}
