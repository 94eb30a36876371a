-- One row per account of a synced source that is there now, with what says that two accounts are of one person: an
-- email and the id at the provider, hashed. The email of an account at the platform itself counts only if it was
-- verified; that of a server's account comes from its provider.
with versions as (
    select
        key,
        source,
        table_name as kind,
        argMax(document, load_id) as document,
        argMax(is_deleted, load_id) as is_deleted
    from {{ ref('stg_source_rows') }}
    where
        table_name in ('mcp_server_user', 'mcp_end_user')
        and load_id in (select load_id from {{ ref('stg_loads') }} where table_name = 'source_rows' and is_live)
    group by key, source, kind
),

accounts as (
    select
        key as account_id,
        kind,
        document['email'] as email,
        lowerUTF8(trimBoth(email)) as matched_email,
        if(kind = 'mcp_server_user', document['upstream_sub'], key) as provider_id,
        kind = 'mcp_server_user' or document['email_verified'] = '1' as is_verified,
        document['tracking_id'] as tracking_id,
        parseDateTime64BestEffortOrNull(
            if(document['first_seen_at'] != '', document['first_seen_at'], document['created_at']), 6, 'UTC'
        ) as seen_at
    from versions
    where not is_deleted
)

-- an id that both tables have is the server's account
select
    account_id,
    argMax(email, (email != '', kind = 'mcp_server_user', email)) as email,
    max(tracking_id) as source_tracking_id,
    min(seen_at) as first_seen_at,
    arraySort(arrayDistinct(arrayConcat(
        groupArrayIf(sipHash64('email', matched_email), is_verified and not {{ is_nobody('matched_email') }}),
        groupArrayIf(sipHash64('provider id', provider_id), not {{ is_nobody('provider_id') }})
    ))) as matched_by
from accounts
group by account_id
