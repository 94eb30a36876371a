{{ config(materialized='view', settings={}) }}
-- Who works at which project: one row per (tenant_id, user_id) that is there now.
select
    project_rows.tenant_id as tenant_id,
    project_rows.document['user_id'] as user_id,
    project_rows.member_name as name,
    project_rows.document['role'] as role,
    parseDateTime64BestEffortOrNull(project_rows.document['created_at'], 6, 'UTC') as created_at
from {{ ref('int_project_rows') }} as project_rows
where project_rows.table_name = 'project_members' and not project_rows.is_deleted
