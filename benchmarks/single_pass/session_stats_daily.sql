SELECT
    tenant_id,
    session_date,
    count() AS sessions_count,
    countIf(is_identified) AS identified_sessions_count,
    uniqExact(user_id) AS users_count,
    countIf(is_first_session) AS new_users_count,
    avg(duration_seconds) AS avg_duration_seconds,
    median(duration_seconds) AS median_duration_seconds,
    avg(pageviews_count) AS avg_pageviews_per_session,
    avg(is_bounce) AS bounce_rate,
    topK(10)(utm_source) AS top_utm_sources,
    topK(10)(utm_medium) AS top_utm_mediums,
    topK(10)(utm_campaign) AS top_utm_campaigns,
    sum(revenue) AS revenue
FROM sessions
GROUP BY tenant_id, session_date
