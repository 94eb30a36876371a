{{ config(materialized='view', settings={}) }}
-- Keys of projects, without what they are: one row per (tenant_id, api_key_id) that is there now.
select
    project_rows.tenant_id as tenant_id,
    project_rows.key as api_key_id,
    project_rows.document['name'] as name,
    toUInt8(project_rows.document['is_active'] != '0') as is_active,
    project_rows.document['created_by'] as created_by,
    parseDateTime64BestEffortOrNull(project_rows.document['created_at'], 6, 'UTC') as created_at,
    parseDateTime64BestEffortOrNull(project_rows.document['expires_at'], 6, 'UTC') as expires_at,
    toUInt8(coalesce(expires_at < toDateTime64(tenants.as_of_date + 1, 6, 'UTC'), 0)) as is_expired
from {{ ref('int_project_rows') }} as project_rows
left join {{ ref('tenants') }} as tenants on project_rows.tenant_id = tenants.tenant_id
where project_rows.table_name = 'api_keys' and not project_rows.is_deleted
