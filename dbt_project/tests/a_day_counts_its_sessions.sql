{{ config(meta={'dagster': {'ref': {'name': 'session_stats_daily'}}}) }}
with touched as (
    select tenant_id, date from {{ ref('changed_session_days') }}
    union distinct
    select tenant_id, date from {{ ref('session_stats_daily') }} where {{ of_this_build() }}
    union distinct
    select tenant_id, session_date as date from {{ ref('sessions') }} where {{ of_this_build() }}
),

days as (
    select
        tenant_id,
        date,
        sum(sessions_count) as sessions_count,
        sum(new_users_count) as new_users_count
    from {{ ref('session_stats_daily') }}
    where (tenant_id, date) in (select tenant_id, date from touched)
    group by tenant_id, date
),

counted as (
    select
        tenant_id,
        session_date as date,
        count() as sessions_count,
        sum(is_first_session) as new_users_count
    from {{ ref('sessions') }}
    where (tenant_id, session_date) in (select tenant_id, date from touched)
    group by tenant_id, date
)

select
    if(days.tenant_id != '', days.tenant_id, counted.tenant_id) as tenant_id,
    greatest(days.date, counted.date) as date,
    days.sessions_count as sessions_count,
    counted.sessions_count as counted_sessions_count
from days
full join counted on days.tenant_id = counted.tenant_id and days.date = counted.date
where
    days.sessions_count != counted.sessions_count
    or days.new_users_count != counted.new_users_count
