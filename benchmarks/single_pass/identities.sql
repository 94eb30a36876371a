-- An id belongs to the user it was first linked to, else to itself. One level: no chains of merges, no conflicts.
SELECT
    e.tenant_id,
    e.distinct_id,
    if(l.user_id = '', e.distinct_id, l.user_id) AS user_id,
    e.is_identified OR l.user_id != '' AS is_identified,
    e.first_seen_at
FROM (
    SELECT tenant_id, distinct_id, max(is_identified) AS is_identified, min(timestamp) AS first_seen_at
    FROM int_events
    GROUP BY tenant_id, distinct_id
) AS e
LEFT JOIN (
    SELECT tenant_id, distinct_id, argMin(other_id, first_seen_at) AS user_id
    FROM int_links
    WHERE side = 'anonymous'
    GROUP BY tenant_id, distinct_id
) AS l ON e.tenant_id = l.tenant_id AND e.distinct_id = l.distinct_id
