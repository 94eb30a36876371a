-- The last touch only, one row per conversion; the other four models are not worked out.
SELECT
    c.tenant_id AS tenant_id,
    c.event_id AS event_id,
    s.session_id AS session_id,
    s.channel AS channel,
    c.revenue AS revenue
FROM (
    SELECT e.tenant_id AS tenant_id, i.user_id AS user_id, e.event_id AS event_id, e.timestamp AS at, e.revenue AS revenue
    FROM int_events AS e
    INNER JOIN identities AS i ON e.tenant_id = i.tenant_id AND e.distinct_id = i.distinct_id
    WHERE e.revenue IS NOT NULL
) AS c
ASOF LEFT JOIN (
    SELECT tenant_id, user_id, session_start, session_id, channel FROM sessions WHERE channel != 'Direct'
) AS s ON c.tenant_id = s.tenant_id AND c.user_id = s.user_id AND c.at >= s.session_start
