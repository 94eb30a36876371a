-- One row per (tenant_id, date) whose events are cut, as it was published last, with its
-- standing before and after this build.
select
    kept.tenant_id as tenant_id,
    kept.date as date,
    kept.sessions_count as sessions_count,
    kept.identified_sessions_count as identified_sessions_count,
    kept.identified_sessions_pct as identified_sessions_pct,
    kept.became_identified_sessions_count as became_identified_sessions_count,
    kept.users_count as users_count,
    kept.new_users_count as new_users_count,
    kept.avg_duration_seconds as avg_duration_seconds,
    kept.median_duration_seconds as median_duration_seconds,
    kept.avg_pageviews_per_session as avg_pageviews_per_session,
    kept.bounce_rate as bounce_rate,
    kept.sessions_with_attribution_count as sessions_with_attribution_count,
    kept.sessions_with_utm_count as sessions_with_utm_count,
    kept.sessions_with_referrer_count as sessions_with_referrer_count,
    kept.top_utm_source as top_utm_source,
    kept.top_utm_medium as top_utm_medium,
    kept.top_utm_campaign as top_utm_campaign,
    kept.top_utm_sources as top_utm_sources,
    kept.top_utm_mediums as top_utm_mediums,
    kept.top_utm_campaigns as top_utm_campaigns,
    kept.revenue as revenue,
    kept.load_id in (select load_id from {{ ref('stg_loads') }} where table_name = 'cuts' and was_live)
    and kept.date >= cuts.was_before as was_kept,
    kept.load_id in (select load_id from {{ ref('stg_loads') }} where table_name = 'cuts' and is_live)
    and kept.date >= cuts.is_before as is_kept
from {{ source('raw', 'kept_session_stats') }} as kept
left join {{ ref('stg_daily_cuts') }} as cuts on kept.tenant_id = cuts.tenant_id
