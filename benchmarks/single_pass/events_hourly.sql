SELECT
    e.tenant_id,
    e.event,
    e.event_date,
    toHour(e.timestamp) AS hour,
    count() AS events_count,
    uniqExact(i.user_id) AS users_count
FROM int_events AS e
INNER JOIN identities AS i ON e.tenant_id = i.tenant_id AND e.distinct_id = i.distinct_id
GROUP BY e.tenant_id, e.event, e.event_date, hour
