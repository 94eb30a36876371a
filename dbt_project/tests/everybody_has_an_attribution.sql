{{ config(meta={'dagster': {'ref': {'name': 'user_attribution'}}}) }}
with people as (
    select tenant_id, user_id, sessions_count, 1 as is_person
    from {{ ref('users') }}
    where {{ of_this_build() }}
    union all
    select tenant_id, user_id, sessions_count, 0 as is_person
    from {{ ref('user_attribution') }}
    where {{ of_this_build() }}
)

select
    tenant_id,
    user_id
from people
group by tenant_id, user_id
having count() != 2 or uniqExact(is_person) != 2 or uniqExact(sessions_count) != 1
