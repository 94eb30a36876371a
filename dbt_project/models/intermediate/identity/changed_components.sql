{{ config(order_by=['tenant_id', 'distinct_id'], post_hook="{{ drop_labels() }}") }}
-- One row per known id in scope, with the group of merged ids it belongs to (named by its smallest id).
{% set labels = propagate_labels(ref('changed_merges')) %}
select
    scope.tenant_id as tenant_id,
    scope.distinct_id as distinct_id,
    scope.is_identified as is_identified,
    scope.first_seen_at as first_seen_at,
    if(labels.label != '', labels.label, scope.distinct_id) as component
from {{ ref('changed_identity_scope') }} as scope
left join {{ labels }} as labels
    on scope.tenant_id = labels.tenant_id and scope.distinct_id = labels.distinct_id
where scope.is_known
