{{ config(materialized='view', settings={}) }}
-- One row per (tenant_id, connection_id), with its person.
select
    connections.tenant_id as tenant_id,
    connections.connection_id as connection_id,
    connections.server_id as server_id,
    identities.user_id as user_id,
    connections.provider as provider,
    connections.connected_at as connected_at,
    connections.expires_at as expires_at,
    connections.revoked_at as revoked_at,
    connections.ended_at as ended_at,
    connections.calls_count as calls_count,
    connections.failed_calls_count as failed_calls_count,
    connections.last_call_at as last_call_at
from {{ ref('int_mcp_connections') }} as connections
left join {{ ref('identities') }} as identities
    on connections.tenant_id = identities.tenant_id and connections.distinct_id = identities.distinct_id
