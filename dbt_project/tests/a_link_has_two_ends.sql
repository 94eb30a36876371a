{{ config(meta={'dagster': {'ref': {'name': 'int_links'}}}) }}
select
    tenant_id,
    if(side = 'anonymous', distinct_id, other_id) as anonymous_id,
    if(side = 'anonymous', other_id, distinct_id) as user_id
from {{ ref('int_links') }}
where {{ of_this_build() }}
group by tenant_id, anonymous_id, user_id
having count() != 2 or uniqExact(side) != 2 or uniqExact((kind, is_mapped, first_seen_at)) != 1
