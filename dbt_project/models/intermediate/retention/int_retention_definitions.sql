{{ config(order_by=['tenant_id', 'retention_id']) }}
-- One row per definition in force for a tenant. Kept, so that the next build sees which have changed.
select
    tenant_id,
    retention_id,
    kind,
    period,
    target_event,
    target_filter,
    return_event,
    return_filter,
    {{ matcher_id('target_event', 'target_filter') }} as target_matcher_id,
    {{ matcher_id('return_event', 'return_filter') }} as return_matcher_id
from {{ ref('changed_retention_definitions') }}
where is_current
