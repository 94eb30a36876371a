{{ config(meta={'dagster': {'ref': {'name': 'funnel_steps'}}}) }}
select 'funnel_definitions' as seed, tenant_id, funnel_id as id, toString(step_number) as part
from {{ ref('funnel_definitions') }}
group by seed, tenant_id, id, part
having count() > 1
union all
select 'retention_definitions_default' as seed, tenant_id, retention_id as id, '' as part
from {{ ref('retention_definitions_default') }}
group by seed, tenant_id, id, part
having count() > 1
