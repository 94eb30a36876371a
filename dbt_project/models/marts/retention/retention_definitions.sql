{{ config(order_by=['tenant_id', 'retention_id']) }}
-- One row per (tenant_id, retention_id) that is defined, loaded or in the project's seed; tenant_id '' is for all
-- tenants that neither define nor drop the same retention_id themselves.
select
    tenant_id,
    retention_id,
    name,
    target_event,
    target_filter,
    return_event,
    return_filter,
    kind,
    period,
    {{ build_seq() }} as _build_seq
from {{ ref('stg_retention_definitions') }}
where not is_deleted
