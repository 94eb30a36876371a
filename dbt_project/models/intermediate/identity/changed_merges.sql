{{ config(order_by=['tenant_id', 'distinct_id']) }}
-- One row per merge and direction among the ids in scope. A row of identity mappings whose anonymous side is itself an
-- identified id is a merge, too: two names of one person. An event that says the same is not: an account was switched
-- on one device.
with identified as (
    select tenant_id, distinct_id
    from {{ ref('changed_identity_scope') }}
    where is_identified
)

select
    tenant_id,
    distinct_id,
    other_id
from {{ ref('int_links') }}
where
    {{ among(['tenant_id', 'distinct_id'], ref('changed_identity_scope')) }}
    and (tenant_id, other_id) in (select tenant_id, distinct_id from {{ ref('changed_identity_scope') }})
    and (
        kind = 'merge'
        or (is_mapped and side = 'anonymous' and (tenant_id, distinct_id) in (identified))
        or (is_mapped and side = 'user' and (tenant_id, other_id) in (identified))
    )
