-- One row per tenant that a synced source lists (an organization, a project) and still has, and when it was read last.
with live as (
    select load_id
    from {{ ref('stg_loads') }}
    where table_name = 'source_rows' and is_live
),

versions as (
    select
        source,
        table_name as kind,
        key,
        argMax(document, load_id) as document,
        argMax(is_deleted, load_id) as is_deleted
    from {{ ref('stg_source_rows') }}
    where table_name in ('organization', 'projects') and load_id in (select load_id from live)
    group by source, kind, key
),

syncs as (
    select
        source,
        max(read_at) as read_at
    from {{ source('raw', 'source_syncs') }}
    where load_id in (select load_id from live)
    group by source
)

select
    versions.key as tenant_id,
    if(versions.kind = 'projects', 'project', versions.kind) as kind,
    versions.document['name'] as name,
    versions.document['slug'] as slug,
    parseDateTime64BestEffortOrNull(versions.document['created_at'], 6, 'UTC') as created_at,
    versions.source as source,
    syncs.read_at as read_at
from versions
inner join syncs on versions.source = syncs.source
where not versions.is_deleted
