{{ config(materialized='view', settings={}) }}
-- Projects of a synced product: one row per (tenant_id, project_id) that is there now.
select
    project_rows.tenant_id as tenant_id,
    project_rows.key as project_id,
    project_rows.document['name'] as name,
    project_rows.document['description'] as description,
    project_rows.document['settings'] as `settings`, -- noqa: RF06
    toUInt8(project_rows.document['is_active'] != '0') as is_active,
    project_rows.document['created_by'] as created_by,
    parseDateTime64BestEffortOrNull(project_rows.document['created_at'], 6, 'UTC') as created_at,
    parseDateTime64BestEffortOrNull(project_rows.document['updated_at'], 6, 'UTC') as updated_at
from {{ ref('int_project_rows') }} as project_rows
where project_rows.table_name = 'projects' and not project_rows.is_deleted
