{# A time that may be unknown, for ordering: the unknown come last. #}
{% macro unknown_last(time) -%}
    ifNull({{ time }}, toDateTime64('2299-12-31 00:00:00', 6, 'UTC'))
{%- endmacro %}


{#
    What is known of the ids that `ids` (a CTE or relation with tenant_id, distinct_id; none: all ids) names, from
    events and from the links that stand: one row per id that exists. An id is identified if it stands on the user side
    of a link or if events say so.
#}
{% macro id_facts(ids=none) %}
    select
        tenant_id,
        distinct_id,
        toUInt8(max(says_identified)) as is_identified,
        min(seen_at) as first_seen_at
    from (
        select
            tenant_id,
            distinct_id,
            says_identified,
            toNullable(first_at) as seen_at
        from {{ ref('int_id_days') }}
        union all
        select
            tenant_id,
            distinct_id,
            side = 'user' and is_link as says_identified,
            first_seen_at as seen_at
        from {{ ref('int_links') }}
    )
    {%- if ids %}
    -- outside, once for both: what is behind `ids` is worked out as often as it is named
    where {{ among(['tenant_id', 'distinct_id'], ids) }}
    {%- endif %}
    group by tenant_id, distinct_id
{% endmacro %}


{# Whom the ids in `ids` (a CTE or relation with tenant_id, distinct_id) belong to; all ids if the model is rebuilt. #}
{% macro people_of(ids) -%}
    (
        select tenant_id, distinct_id, user_id, is_identified
        from {{ ref('identities') }}
        {% if not is_rebuilt() -%}
        where (tenant_id, distinct_id) in (select tenant_id, distinct_id from {{ ids }})
        {%- endif %}
    )
{%- endmacro %}


{# The published identities before this build. #}
{% macro identities_before() -%}
    {{ before('identities', {
        'tenant_id': 'String', 'distinct_id': 'String', 'user_id': 'String', 'is_identified': 'UInt8',
        'first_seen_at': "Nullable(DateTime64(6, \\'UTC\\'))"
    }) }}
{%- endmacro %}


{#
    Connected components by label propagation with pointer jumping: every id, and the id that names its label, takes
    the smallest label among itself and its neighbours, then the label of its label, until nothing changes. Returns the
    name of the table that holds the result; the model that reads it drops what was made for it by the hook `drop_labels`.
    `edges` must hold every edge in both directions.
#}
{% macro propagate_labels(edges) %}
    {%- set labels = component_labels() -%}
    {%- set next_labels = component_labels() ~ '_next' -%}
    {%- if execute and flags.WHICH in ('run', 'build') -%}
        {%- set state = namespace(done=false) -%}
        {%- set shape = '(tenant_id String, distinct_id String, label String) engine = MergeTree order by (tenant_id, distinct_id)' -%}
        {%- for table in [labels, next_labels] -%}
            {%- do run_query('drop table if exists ' ~ table ~ ' sync') -%}
            {%- do run_query('create table ' ~ table ~ ' ' ~ shape) -%}
        {%- endfor -%}
        {%- do run_query(
            'insert into ' ~ labels ~ ' select distinct tenant_id, distinct_id, distinct_id as label from ' ~ edges
        ) -%}
        {%- for _ in range(var("identity_max_rounds")) -%}
            {%- if not state.done -%}
                {%- do run_query('truncate table ' ~ next_labels) -%}
                {%- do run_query(label_round(edges, labels, next_labels)) -%}
                {%- set moved = run_query(
                    'select count() from ' ~ next_labels ~ ' where (tenant_id, distinct_id, label) not in'
                    ~ ' (select tenant_id, distinct_id, label from ' ~ labels ~ ')'
                ).columns[0].values()[0] | int -%}
                {%- do run_query('exchange tables ' ~ labels ~ ' and ' ~ next_labels) -%}
                {%- if moved == 0 -%}{%- set state.done = true -%}{%- endif -%}
            {%- endif -%}
        {%- endfor -%}
        {%- if not state.done -%}
            {{- exceptions.raise_compiler_error(
                'Merged ids did not settle in ' ~ var('identity_max_rounds') ~ ' rounds: raise the var identity_max_rounds.'
            ) -}}
        {%- endif -%}
    {%- endif -%}
    {{- return(labels) -}}
{% endmacro %}


{# The table of labels. With `_next` behind its name, the one that a round writes. #}
{% macro component_labels() -%}
    {{ target.schema }}.changed_component_labels
{%- endmacro %}


{# What the model that reads the labels runs when it is built. #}
{% macro drop_labels() -%}
    drop table if exists {{ component_labels() }}, {{ component_labels() }}_next sync
{%- endmacro %}


{% macro label_round(edges, labels, next_labels) %}
    insert into {{ next_labels }}
    with hooked as (
        select
            tenant_id,
            distinct_id,
            min(label) as label
        from (
            select tenant_id, distinct_id, label from {{ labels }}
            union all
            select edges.tenant_id, edges.distinct_id, neighbours.label
            from {{ edges }} as edges
            inner join {{ labels }} as neighbours
                on edges.tenant_id = neighbours.tenant_id and edges.other_id = neighbours.distinct_id
            union all
            -- without it a stretch that has settled on its own smallest id would give way one id a round
            select own.tenant_id, own.label as distinct_id, neighbours.label
            from {{ edges }} as edges
            inner join {{ labels }} as own
                on edges.tenant_id = own.tenant_id and edges.distinct_id = own.distinct_id
            inner join {{ labels }} as neighbours
                on edges.tenant_id = neighbours.tenant_id and edges.other_id = neighbours.distinct_id
        )
        group by tenant_id, distinct_id
    )

    select
        hooked.tenant_id,
        hooked.distinct_id,
        jumped.label
    from hooked
    inner join hooked as jumped on hooked.tenant_id = jumped.tenant_id and hooked.label = jumped.distinct_id
{% endmacro %}
