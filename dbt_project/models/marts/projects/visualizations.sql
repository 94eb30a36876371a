{{ config(materialized='view', settings={}) }}
-- Pictures on dashboards: one row per (tenant_id, visualization_id) that is there now.
select
    project_rows.tenant_id as tenant_id,
    project_rows.key as visualization_id,
    project_rows.document['dashboard_id'] as dashboard_id,
    project_rows.document['query_id'] as query_id,
    project_rows.document['name'] as name,
    project_rows.document['visualization_type'] as visualization_type,
    project_rows.document['query_params'] as query_params,
    project_rows.document['config'] as config,
    project_rows.document['position'] as position,
    project_rows.document['created_by'] as created_by,
    parseDateTime64BestEffortOrNull(project_rows.document['created_at'], 6, 'UTC') as created_at,
    parseDateTime64BestEffortOrNull(project_rows.document['updated_at'], 6, 'UTC') as updated_at
from {{ ref('int_project_rows') }} as project_rows
where project_rows.table_name = 'visualizations' and not project_rows.is_deleted
