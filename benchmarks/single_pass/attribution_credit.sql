-- First, last and linear in one row per conversion and touch; the other two models weigh the same rows.
SELECT
    c.tenant_id,
    c.event_id,
    s.session_id,
    s.channel,
    row_number() OVER w AS place,
    count() OVER (PARTITION BY c.tenant_id, c.event_id) AS touches,
    c.revenue / touches AS linear_revenue
FROM (
    SELECT e.tenant_id AS tenant_id, i.user_id AS user_id, e.event_id AS event_id, e.timestamp AS at, e.revenue AS revenue
    FROM int_events AS e
    INNER JOIN identities AS i ON e.tenant_id = i.tenant_id AND e.distinct_id = i.distinct_id
    WHERE e.revenue IS NOT NULL
) AS c
INNER JOIN sessions AS s ON c.tenant_id = s.tenant_id AND c.user_id = s.user_id
WHERE s.channel != 'Direct' AND s.session_start <= c.at AND s.session_start > c.at - INTERVAL 30 DAY
WINDOW w AS (PARTITION BY c.tenant_id, c.event_id ORDER BY s.session_start)
