{{ config(materialized='view', settings={}) }}
-- Configurations of the clients of projects: one row per (tenant_id, client_config_id) that is there now.
select
    project_rows.tenant_id as tenant_id,
    project_rows.key as client_config_id,
    project_rows.document['name'] as name,
    project_rows.document['config'] as config,
    parseDateTime64BestEffortOrNull(project_rows.document['created_at'], 6, 'UTC') as created_at,
    parseDateTime64BestEffortOrNull(project_rows.document['updated_at'], 6, 'UTC') as updated_at
from {{ ref('int_project_rows') }} as project_rows
where project_rows.table_name = 'client_configs' and not project_rows.is_deleted
