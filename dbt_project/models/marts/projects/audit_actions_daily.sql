{{ config(order_by=['tenant_id', 'date', 'action', 'entity_type']) }}
-- One row per (tenant_id, date, action, entity_type): what staff did to what is a project's; without a tenant what they
-- did to the platform, for operators. Few, so they are written anew with each build: a view would ask its readers for
-- the right to int_audit_days, which is of no tenant.
with entities as (
    select
        if(table_name = 'saved_queries', 'saved_query', replaceRegexpOne(table_name, 's$', '')) as entity_type,
        key as entity_id,
        tenant_id
    from {{ ref('int_project_rows') }}
)

select
    entities.tenant_id as tenant_id,
    days.date as date,
    days.action as action,
    days.entity_type as entity_type,
    sum(days.actions_count) as actions_count,
    uniqExactIf(days.actor_id, days.actor_id != '') as users_count
from {{ ref('int_audit_days') }} as days
left join entities on days.entity_type = entities.entity_type and days.entity_id = entities.entity_id
group by tenant_id, date, action, entity_type
