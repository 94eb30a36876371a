{{ config(meta={'dagster': {'ref': {'name': 'user_attribution'}}}) }}
with touched as (
    select tenant_id, user_id from {{ ref('users') }} where {{ of_this_build() }}
    union distinct
    select tenant_id, user_id from {{ ref('user_attribution') }} where {{ of_this_build() }}
),

people as (
    select tenant_id, user_id, sessions_count, 1 as is_person
    from {{ ref('users') }}
    where {{ among(['tenant_id', 'user_id'], 'touched') }}
    union all
    select tenant_id, user_id, sessions_count, 0 as is_person
    from {{ ref('user_attribution') }}
    where {{ among(['tenant_id', 'user_id'], 'touched') }}
)

select
    tenant_id,
    user_id
from people
group by tenant_id, user_id
having count() != 2 or uniqExact(is_person) != 2 or uniqExact(sessions_count) != 1
