{{ config(meta={'dagster': {'ref': {'name': 'identities'}}}) }}
select
    tenant_id,
    distinct_id,
    user_id
from {{ ref('identities') }}
where
    {{ of_this_build() }}
    and (tenant_id, user_id) not in (
        select tenant_id, distinct_id
        from {{ ref('identities') }}
        where distinct_id = user_id and (tenant_id, distinct_id) in (
            select tenant_id, user_id
            from {{ ref('identities') }}
            where {{ of_this_build() }}
        )
    )
