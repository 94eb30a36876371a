{{ config(order_by=['tenant_id', 'server_id']) }}
-- One row per (tenant_id, server_id). Few, so they are written anew with each build.
select
    tenant_id,
    server_id,
    source,
    slug,
    name,
    is_enabled,
    created_at,
    is_deleted
from {{ ref('stg_mcp_servers') }}
