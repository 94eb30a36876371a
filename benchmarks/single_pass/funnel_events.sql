-- How far each person comes within two weeks, by ClickHouse's own windowFunnel; the bundled funnel of three steps.
SELECT
    e.tenant_id,
    i.user_id,
    windowFunnel(1209600)(toDateTime(e.timestamp), e.event_type = 'page', e.event_type = 'identify', e.revenue > 0) AS level
FROM int_events AS e
INNER JOIN identities AS i ON e.tenant_id = i.tenant_id AND e.distinct_id = i.distinct_id
GROUP BY e.tenant_id, i.user_id
