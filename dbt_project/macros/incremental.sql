{#
    The one shape of every incremental model: delete the changed keys, insert their recomputed rows.
    The change feed (the models named `changed_…`) says which keys; on a full build there is nothing to delete
    and no filter, and the model's SQL is otherwise the same.
#}

{#
    Makes a model incremental along a feed: the build first deletes the rows whose `columns` (here called `own_columns`,
    if the names differ) are found in the feed's rows (of those, in the ones that `where` names), then inserts what the
    model's SQL gives. Returns the condition for reading the same keys only, to be put behind another condition; nothing
    on a full build. A model that follows several feeds calls it for each. `indexes` are its own, beside the one that
    finds the rows of a build.
#}
{% macro follow(feed, columns, where='', own_columns=none, indexes=[]) %}
    {{- config(
        materialized='incremental',
        indexes=[{'name': 'build_seq_range', 'definition': '_build_seq TYPE minmax GRANULARITY 1'}] + indexes,
        pre_hook='{{ delete_changed(*' ~ [feed, columns, where, own_columns] ~ ') }}',
    ) -}}
    {{- only_changed(feed, columns, where, own_columns) -}}
{% endmacro %}


{# What `follow` runs before the model: delete the changed keys. #}
{% macro delete_changed(feed, columns, where='', own_columns=none) %}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where {{ among(columns, ref(feed), own_columns=own_columns, where=where) }}
        {{ as_patch() }}
    {%- endif -%}
{% endmacro %}


{#
    Deletes write small patch parts instead of rewriting a mask for every part they touch: tens of times faster for
    a few keys scattered over many parts. Needs the block number columns that dbt_project.yml switches on.
#}
{% macro as_patch() -%}
    settings lightweight_delete_mode = 'lightweight_update'
{%- endmacro %}


{# Of what a model reads, only the keys that a feed names; `follow` says what the arguments mean. #}
{% macro only_changed(feed, columns, where='', own_columns=none) %}
    {%- set relation = ref(feed) -%}
    {%- if is_incremental() -%}
        and {{ among(columns, relation, own_columns=own_columns, where=where) }}
    {%- endif -%}
{% endmacro %}


{#
    True for rows whose `own_columns` (by default of the same names), of the relation called `of` in the query, are found
    as `columns` of `relation`. An id is looked for by itself first: one string takes a third of the time of a tuple, and
    few rows are left for the tuple. So `relation` is named twice: a CTE that takes work should be worked out `once`.
#}
{% macro among(columns, relation, own_columns=none, of=none, where='') -%}
    {%- set own = [] -%}
    {%- for column in own_columns or columns -%}
        {%- do own.append(of ~ '.' ~ column if of else column) -%}
    {%- endfor -%}
    {%- set id = columns | select('in', ['distinct_id', 'anonymous_id', 'user_id', 'session_key', 'device_key']) | first -%}
    {%- set source = relation ~ (' where ' ~ where if where else '') -%}
    {%- if id -%}
        {{ own[columns.index(id)] }} in (select {{ id }} from {{ source }})
        and {# -#}
    {%- endif -%}
    ({{ own | join(', ') }}) in (select {{ columns | join(', ') }} from {{ source }})
{%- endmacro %}


{#
    Behind the `as` of a CTE of the change alone that is named more than once: it is worked out once, where the server
    can (from 26.3 on, if `enable_materialized_cte` is set), instead of each time it is named.
#}
{% macro once() -%}
    {%- if execute and not adapter.is_before_version('26.3') -%}materialized{%- endif -%}
{%- endmacro %}


{# The load_seq up to which this build reads: written to every row as `_build_seq`. #}
{% macro build_seq() %}assumeNotNull((select to_seq from {{ ref('int_build_range') }})){% endmacro %}


{# Rows that this build wrote for the loads it handles; none if there are none. #}
{% macro written_by_this_build() %}_build_seq > (select from_seq from {{ ref('int_build_range') }}){% endmacro %}


{#
    True if this build makes the model from nothing: all of them on a full build, else those that changed and what
    follows from them. An incremental model finds no table then, so that for it this is `not is_incremental()`; the feed
    has to be told. A test asks for the model that it tests.
#}
{% macro is_rebuilt() %}
    {%- set build_range = ref('int_build_range') -%}
    {%- if execute and flags.WHICH in ('run', 'build') -%}
        {%- set asking = graph.nodes.get(model.attached_node, model) -%}
        {{- return(flags.FULL_REFRESH or run_query(
            "select max(has(rebuilt_models, '" ~ asking.alias ~ "')) from " ~ build_range
        ).columns[0].values()[0] | int == 1) -}}
    {%- endif -%}
{%- endmacro %}


{#
    Around the SQL of a feed that only tells incremental models which keys to replace. Where the feed is rebuilt all that
    follow it are too, and replace none: there it is a table of the same columns that stays empty, and its SQL is not run.
#}
{% macro changes() %}
    {%- if is_rebuilt() -%}
        {%- set columns = [] -%}
        {%- for column in run_query('describe (' ~ caller() ~ ')').rows -%}
            {%- do columns.append(column['name'] ~ ' ' ~ column['type'] | replace("'", "\\'")) -%}
        {%- endfor -%}
        select * from null('{{ columns | join(', ') }}')
    {%- else -%}
        {{- caller() -}}
    {%- endif -%}
{% endmacro %}


{#
    A mart as the build before left it, to be read before this build rewrites it. The caller must come earlier in the
    graph than the model itself (so no ref), and states the columns it needs: where the caller is rebuilt, and on a first
    build, the table is empty. If the mart is rebuilt and the caller is not, it is there only as it was published.
#}
{% macro before(model, columns) %}
    {%- set relation = none -%}
    {%- set rebuilt = is_rebuilt() -%}
    {%- if execute and not rebuilt -%}
        {%- set relation = adapter.get_relation(database='', schema=target.schema, identifier=model)
            or adapter.get_relation(database='', schema=published_schema(), identifier=model) -%}
    {%- endif -%}
    {%- if relation -%}
        (select {{ columns.keys() | join(', ') }} from {{ relation }})
    {%- else -%}
        (select {% for name, type in columns.items() %}defaultValueOfTypeName('{{ type }}') as {{ name }}{{ ', ' if not loop.last }}{% endfor %} where 0)
    {%- endif -%}
{% endmacro %}


{# The database that people read, beside which dbt builds. #}
{% macro published_schema() -%}
    {{- return(target.schema.removesuffix('_next')) -}}
{%- endmacro %}


{#
    Instead of dbt-clickhouse's own, which asks the warehouse for the columns of each table it has just made, and that
    takes longer than many an insert. With a contract they stand in the YAML; without one the table has the query's.
    Tables that materialized views fill (`use_columns_from_sql`) have neither: for them it is dbt-clickhouse's.
#}
{% macro clickhouse__insert_into(target_relation, sql, has_contract, use_columns_from_sql=False) %}
    {%- if use_columns_from_sql -%}
        {{ dbt.clickhouse__insert_into(target_relation, sql, has_contract, use_columns_from_sql) }}
    {%- elif has_contract -%}
        {%- set columns = [] -%}
        {%- for column in model.columns.values() -%}
            {%- do columns.append(adapter.quote(column.name)) -%}
        {%- endfor -%}
        insert into {{ target_relation }} ({{ columns | join(', ') }})
        select {{ columns | join(', ') }}
        from (
            {{ sql }}
        )
        {{ adapter.get_model_query_settings(model) }}
    {%- else -%}
        insert into {{ target_relation }}
        {{ sql }}
        {{ adapter.get_model_query_settings(model) }}
    {%- endif -%}
{% endmacro %}
