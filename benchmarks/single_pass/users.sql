SELECT
    e.tenant_id,
    i.user_id,
    max(i.is_identified) AS is_identified,
    uniqExact(e.distinct_id) AS distinct_ids_count,
    min(e.timestamp) AS first_seen_at,
    max(e.timestamp) AS last_seen_at,
    uniqExact(e.session_key) AS sessions_count,
    count() AS events_count,
    countIf(e.is_pageview) AS pageviews_count,
    sum(e.revenue) AS lifetime_value,
    argMaxIf(JSONExtractRaw(e.properties, '$set'), e.timestamp, position(e.properties, '"$set"') > 0) AS attributes
FROM int_events AS e
INNER JOIN identities AS i ON e.tenant_id = i.tenant_id AND e.distinct_id = i.distinct_id
GROUP BY e.tenant_id, i.user_id
