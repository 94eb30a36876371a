{{ config(order_by=['tenant_id', 'distinct_id'], meta={'rebuilt_with': ['changed_accounts']}) }}
{% do follow('changed_accounts', ['tenant_id', 'distinct_id']) %}
-- One row per (tenant_id, distinct_id): an account of a synced source whose id has events in the tenant.
select
    tenant_id,
    distinct_id,
    first_seen_at,
    matched_by,
    provider,
    source_tracking_id,
    email_hash,
    {{ build_seq() }} as _build_seq
from {{ ref('changed_accounts') }}
where change = 'added'
