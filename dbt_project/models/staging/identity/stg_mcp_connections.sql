-- One row per connection of a synced source, as it was read last: also one that is gone there.
with versions as (
    select
        source,
        key,
        argMax(document, load_id) as document
    from {{ ref('stg_source_rows') }}
    where
        table_name = 'mcp_server_session'
        and load_id in (select load_id from {{ ref('stg_loads') }} where table_name = 'source_rows' and is_live)
    group by source, key
)

select
    key as connection_id,
    source,
    document['account_id'] as account_id,
    document['oauth_provider'] as provider,
    parseDateTime64BestEffortOrNull(document['connected_at'], 6, 'UTC') as connected_at,
    parseDateTime64BestEffortOrNull(document['expires_at'], 6, 'UTC') as expires_at,
    parseDateTime64BestEffortOrNull(document['revoked_at'], 6, 'UTC') as revoked_at
from versions
