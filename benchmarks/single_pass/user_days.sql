WITH visits AS (
    SELECT tenant_id, user_id, session_date AS date, count() AS sessions_count
    FROM sessions
    GROUP BY tenant_id, user_id, date
),

activity AS (
    SELECT
        tenant_id,
        user_id,
        event_date AS date,
        count() AS events_count,
        countIf(event = '$pageview') AS pageviews_count,
        sum(ifNull(revenue, 0)) AS revenue
    FROM events
    GROUP BY tenant_id, user_id, date
)

SELECT tenant_id, user_id, date, events_count, pageviews_count, sessions_count, revenue
FROM activity
FULL JOIN visits USING (tenant_id, user_id, date)
