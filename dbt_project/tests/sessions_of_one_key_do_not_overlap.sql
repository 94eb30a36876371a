{{ config(meta={'dagster': {'ref': {'name': 'sessions'}}}) }}
with neighbours as (
    select
        tenant_id,
        session_key,
        session_start,
        session_id,
        any(session_end) over (
            partition by tenant_id, session_key
            order by session_start, session_id
            rows between 1 preceding and 1 preceding
        ) as previous_end
    from {{ ref('sessions') }}
    where
        (tenant_id, session_date, session_key) in (
            select tenant_id, session_date, session_key from {{ ref('sessions') }} where {{ of_this_build() }}
        )
)

select
    tenant_id,
    session_key,
    session_start,
    session_id
from neighbours
where previous_end >= session_start
