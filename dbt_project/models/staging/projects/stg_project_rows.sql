-- One row per row of a product's own tables, as it was read last, one that is gone marked as such. Two projects of two
-- sources with one id would be one tenant, so of two such rows the one of the source whose name comes last stands.
select
    key,
    table_name,
    max(project_rows.source) as source,
    argMax(project_rows.document, (project_rows.source, load_id)) as document,
    argMax(project_rows.is_deleted, (project_rows.source, load_id)) as is_deleted
from {{ ref('stg_source_rows') }} as project_rows
where
    table_name in (
        'projects', 'project_members', 'api_keys', 'client_configs', 'dashboards', 'saved_queries', 'visualizations',
        'users'
    )
    and load_id in (select load_id from {{ ref('stg_loads') }} where table_name = 'source_rows' and is_live)
group by table_name, key
