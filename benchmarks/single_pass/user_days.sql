SELECT
    e.tenant_id,
    i.user_id,
    e.event_date,
    count() AS events_count,
    countIf(e.is_pageview) AS pageviews_count,
    uniqExact(e.session_key) AS sessions_count,
    sum(e.revenue) AS revenue
FROM int_events AS e
INNER JOIN identities AS i ON e.tenant_id = i.tenant_id AND e.distinct_id = i.distinct_id
GROUP BY e.tenant_id, i.user_id, e.event_date
