-- One row per server of a synced source, as it was read last: also one that is gone there, for its calls still name it.
with versions as (
    select
        source,
        key,
        argMax(document, load_id) as document,
        argMax(is_deleted, load_id) as is_deleted
    from {{ ref('stg_source_rows') }}
    where
        table_name = 'mcp_server'
        and load_id in (select load_id from {{ ref('stg_loads') }} where table_name = 'source_rows' and is_live)
    group by source, key
)

select
    document['organization_id'] as tenant_id,
    document['id'] as server_id,
    source,
    document['slug'] as slug,
    document['name'] as name,
    toUInt8(document['enabled'] != '0') as is_enabled,
    parseDateTime64BestEffortOrNull(document['created_at'], 6, 'UTC') as created_at,
    is_deleted
from versions
