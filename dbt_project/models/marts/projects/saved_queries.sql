{{ config(materialized='view', settings={}) }}
-- Questions that somebody saved, as forms: one row per (tenant_id, query_id) that is there now.
select
    project_rows.tenant_id as tenant_id,
    project_rows.key as query_id,
    project_rows.document['name'] as name,
    project_rows.document['description'] as description,
    project_rows.document['query_type'] as query_type,
    project_rows.document['query_params'] as query_params,
    project_rows.document['created_by'] as created_by,
    parseDateTime64BestEffortOrNull(project_rows.document['created_at'], 6, 'UTC') as created_at,
    parseDateTime64BestEffortOrNull(project_rows.document['updated_at'], 6, 'UTC') as updated_at
from {{ ref('int_project_rows') }} as project_rows
where project_rows.table_name = 'saved_queries' and not project_rows.is_deleted
