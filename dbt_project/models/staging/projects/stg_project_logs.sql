-- One row per row of a product's logs and logins that was ever read: what ages out at the source stays here.
select
    source,
    table_name,
    key,
    argMax(log_rows.document, load_id) as document,
    parseDateTime64BestEffortOrZero(document['created_at'], 6, 'UTC') as created_at
from {{ ref('stg_source_rows') }} as log_rows
where
    table_name in ('audit_logs', 'system_logs', 'user_sessions', 'password_reset_tokens')
    and load_id in (select load_id from {{ ref('stg_loads') }} where table_name = 'source_rows' and is_live)
group by source, table_name, key
