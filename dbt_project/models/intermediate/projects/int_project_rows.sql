{{ config(order_by=['tenant_id', 'table_name', 'key']) }}
-- One row per (tenant_id, table_name, key): what a synced product's database says of a project. Few, so they are
-- written anew with each build. A picture without a project is of that of its dashboard.
with rows_ as (
    select source, table_name, key, document, is_deleted
    from {{ ref('stg_project_rows') }}
),

boards as (
    select source, key, document
    from rows_
    where table_name = 'dashboards'
),

staff as (
    select source, key, document
    from rows_
    where table_name = 'users'
),

of_projects as (
    select
        rows_.source as source,
        rows_.table_name as table_name,
        rows_.key as key,
        rows_.document as document,
        rows_.is_deleted as is_deleted,
        multiIf(
            rows_.table_name = 'projects', rows_.key,
            rows_.document['project_id'] != '', rows_.document['project_id'],
            boards.document['project_id']
        ) as tenant_id
    from rows_
    left join boards
        on rows_.source = boards.source and rows_.document['dashboard_id'] = boards.key
    where rows_.table_name != 'users'
)

select
    of_projects.tenant_id as tenant_id,
    of_projects.table_name as table_name,
    of_projects.key as key,
    of_projects.document as document,
    of_projects.is_deleted as is_deleted,
    trimBoth(concat(staff.document['first_name'], ' ', staff.document['last_name'])) as member_name
from of_projects
left join staff
    on of_projects.source = staff.source and of_projects.document['user_id'] = staff.key
where of_projects.tenant_id != ''
