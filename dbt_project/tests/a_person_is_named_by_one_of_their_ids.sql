{{ config(meta={'dagster': {'ref': {'name': 'identities'}}}) }}
-- A person's name is an id that belongs to that same person: no name is left behind when people merge or split.
select
    tenant_id,
    distinct_id,
    user_id
from {{ ref('identities') }}
where
    {{ written_by_this_build() }}
    and (tenant_id, user_id) not in (
        select tenant_id, distinct_id
        from {{ ref('identities') }}
        where distinct_id = user_id and (tenant_id, distinct_id) in (
            select tenant_id, user_id
            from {{ ref('identities') }}
            where {{ written_by_this_build() }}
        )
    )
