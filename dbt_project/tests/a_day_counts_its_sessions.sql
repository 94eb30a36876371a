{{ config(meta={'dagster': {'ref': {'name': 'session_stats_daily'}}}) }}
with changed_days as (
    select tenant_id, date from {{ ref('session_stats_daily') }} where {{ of_this_build() }}
    union distinct
    select tenant_id, session_date as date from {{ ref('sessions') }} where {{ of_this_build() }}
),

-- days whose events are cut have no sessions any more
days as (
    select tenant_id, date
    from changed_days
    where (tenant_id, date) not in (select tenant_id, date from {{ ref('stg_kept_session_stats') }} where is_kept)
),

counts as (
    select
        tenant_id,
        date,
        toInt64(sessions_count) as more_sessions,
        toInt64(new_users_count) as more_new_people,
        revenue as more_revenue
    from {{ ref('session_stats_daily') }}
    where (tenant_id, date) in (days)
    union all
    select
        tenant_id,
        session_date as date,
        -1 as more_sessions,
        -toInt64(is_first_session) as more_new_people,
        -revenue as more_revenue
    from {{ ref('sessions') }}
    where (tenant_id, session_date) in (days)
)

select
    tenant_id,
    date,
    sum(more_sessions) as more_sessions_by_day,
    sum(more_new_people) as more_new_people_by_day,
    sum(more_revenue) as more_revenue_by_day
from counts
group by tenant_id, date
having more_sessions_by_day != 0 or more_new_people_by_day != 0 or more_revenue_by_day != 0
