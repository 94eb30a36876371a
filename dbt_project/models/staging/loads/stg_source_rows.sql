-- One row per version of a row that a sync of a source found, of all loads. What is known of a key is its version of
-- the latest load that stands.
select
    load_id,
    source,
    table as table_name,
    key,
    is_deleted,
    document
from {{ source('raw', 'source_rows') }}
