-- One row per (tenant_id, retention_id) that is defined; tenant_id '' is for all tenants. Of several loads the latest
-- defines it, within a file the last line; what is loaded goes before the project's own seed. is_deleted: there is no
-- such definition, for this tenant or for all.
{% set columns = [
    'name', 'target_event', 'target_filter', 'return_event', 'return_filter', 'kind', 'period'
] %}
with defined as (
    select
        definitions.tenant_id as tenant_id,
        definitions.retention_id as retention_id,
        {% for column in columns -%}
        toString(definitions.{{ column }}) as {{ column }},
        {% endfor -%}
        definitions.is_deleted as is_deleted,
        (loads.load_order, definitions.line) as place
    from {{ source('raw', 'retention_definitions') }} as definitions
    inner join {{ ref('stg_loads') }} as loads on definitions.load_id = loads.load_id
    where loads.table_name = 'retention_definitions' and loads.is_live
    union all
    select
        tenant_id,
        retention_id,
        {% for column in columns -%}
        toString({{ column }}) as {{ column }},
        {% endfor -%}
        0 as is_deleted,
        (toUInt64(0), toUInt64(0)) as place
    from {{ ref('retention_definitions_default') }}
)

select
    tenant_id,
    retention_id,
    argMax(name, place) as name,
    argMax(target_event, place) as target_event,
    argMax(target_filter, place) as target_filter,
    argMax(return_event, place) as return_event,
    argMax(return_filter, place) as return_filter,
    argMax(kind, place) as kind,
    argMax(period, place) as period,
    argMax(is_deleted, place) as is_deleted
from defined
group by tenant_id, retention_id
