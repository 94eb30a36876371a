-- An anonymous id belongs to the user it was first linked to, else to itself; no chains of merges.
WITH links AS (
    SELECT tenant_id, JSONExtractString(properties, '$anon_distinct_id') AS anonymous_id, distinct_id AS user_id, timestamp AS at
    FROM events
    WHERE event = '$identify'
    UNION ALL
    SELECT tenant_id, anonymous_id, user_id, assumeNotNull(first_seen_at) AS at
    FROM raw_identity_mappings
    WHERE kind != 'merge'
),

ids AS (
    SELECT tenant_id, distinct_id, max(is_identified) AS is_identified, min(timestamp) AS first_seen_at
    FROM events
    GROUP BY tenant_id, distinct_id
),

users AS (
    SELECT tenant_id, anonymous_id AS distinct_id, argMin(user_id, at) AS user_id, min(at) AS linked_at
    FROM links
    GROUP BY tenant_id, distinct_id
)

SELECT
    tenant_id,
    distinct_id,
    if(user_id != '' AND NOT is_identified, user_id, distinct_id) AS user_id,
    is_identified,
    first_seen_at
FROM ids
LEFT JOIN users USING (tenant_id, distinct_id)
