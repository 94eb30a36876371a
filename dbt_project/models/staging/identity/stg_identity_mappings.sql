-- One row per accepted mapping row, of all loads. A row without times has no place in time: it sorts behind all others
-- as a link, and before all others as a word on whether the link stands.
select
    load_id,
    line,
    tenant_id,
    anonymous_id,
    user_id,
    kind,
    coalesce(first_seen_at, created_at) as first_seen_at,
    coalesce(created_at, first_seen_at, toDateTime64(0, 6, 'UTC')) as stated_at,
    is_deleted
from {{ source('raw', 'identity_mappings') }}
