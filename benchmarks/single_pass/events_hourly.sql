SELECT
    tenant_id,
    event,
    event_date AS date,
    toHour(timestamp) AS hour,
    count() AS events_count,
    uniqExact(user_id) AS users_count
FROM events
GROUP BY tenant_id, event, date, hour
