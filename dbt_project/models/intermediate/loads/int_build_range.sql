{{ config(order_by='to_seq') }}
-- One row: the build handles the loads with from_seq < load_seq <= to_seq. from_seq is what the tables already
-- contain, so it is read from the row that the build before published together with them. What is built from nothing
-- beside them was written down when the candidate was made; without a previous row that is everything.
{% set previous = load_relation(this) if execute and not flags.FULL_REFRESH else none %}
{% set told = adapter.get_relation('', this.schema, 'changed_models') if previous else none %}
{% set nodes = graph.nodes.values() if execute else [] %}
{% set tables = nodes | selectattr('resource_type', 'in', ['model', 'seed', 'snapshot']) %}
select
    {{ 'assumeNotNull((select max(to_seq) from ' ~ previous ~ '))' if previous else 'toUInt64(0)' }} as from_seq,
    assumeNotNull((select max(greatest(load_seq, superseded_seq)) from {{ source('raw', 'loads') }} final)) as to_seq,
    {% if told -%}
    (select groupArray(name) from {{ told }})
    {%- else -%}
    cast({{ [] if previous else tables | map(attribute='alias') | list }}, 'Array(String)')
    {%- endif %} as rebuilt_models
