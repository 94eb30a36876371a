SELECT
    tenant_id,
    session_date AS date,
    count() AS sessions_count,
    countIf(is_identified) AS identified_sessions_count,
    100 * identified_sessions_count / sessions_count AS identified_sessions_pct,
    countIf(became_identified) AS became_identified_sessions_count,
    uniqExact(user_id) AS users_count,
    countIf(is_first_session) AS new_users_count,
    avg(duration_seconds) AS avg_duration_seconds,
    medianExact(duration_seconds) AS median_duration_seconds,
    avg(pageviews_count) AS avg_pageviews_per_session,
    avg(is_bounce) AS bounce_rate,
    countIf(utm_source != '' OR entry_referrer != '') AS sessions_with_attribution_count,
    countIf(utm_source != '') AS sessions_with_utm_count,
    countIf(entry_referrer != '') AS sessions_with_referrer_count,
    topKIf(10)(utm_source, utm_source != '') AS top_utm_sources,
    topKIf(10)(utm_medium, utm_medium != '') AS top_utm_mediums,
    topKIf(10)(utm_campaign, utm_campaign != '') AS top_utm_campaigns,
    sum(revenue) AS revenue
FROM sessions
GROUP BY tenant_id, date
