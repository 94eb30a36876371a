{{ config(meta={'dagster': {'ref': {'name': 'sessions'}}}) }}
with written as (
    select
        tenant_id,
        user_id,
        min(session_number) as lowest_number,
        max(session_number) as highest_number,
        count() as rows_count,
        uniqExact(session_number) as numbers_count
    from {{ ref('sessions') }}
    where {{ of_this_build() }}
    group by tenant_id, user_id
),

people as (
    select
        tenant_id,
        user_id,
        sessions_count
    from {{ ref('users') }}
    where {{ of_this_build() }}
)

select
    written.tenant_id as tenant_id,
    written.user_id as user_id,
    written.lowest_number as lowest_number,
    written.highest_number as highest_number,
    people.sessions_count as sessions_count
from written
left join people on written.tenant_id = people.tenant_id and written.user_id = people.user_id
where
    written.highest_number != people.sessions_count
    or written.numbers_count != written.rows_count
    or written.highest_number - written.lowest_number + 1 != written.rows_count
