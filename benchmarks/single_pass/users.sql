WITH visits AS (
    SELECT
        tenant_id,
        user_id,
        count() AS sessions_count,
        avg(duration_seconds) AS average_session_duration,
        argMinIf(channel, session_start, channel != 'Direct') AS first_touch_channel,
        argMaxIf(channel, session_start, channel != 'Direct') AS recent_touch_channel
    FROM sessions
    GROUP BY tenant_id, user_id
),

activity AS (
    SELECT
        tenant_id,
        user_id,
        max(is_identified) AS is_identified,
        uniqExact(distinct_id) AS distinct_ids_count,
        min(timestamp) AS first_seen_at,
        max(timestamp) AS last_seen_at,
        count() AS events_count,
        countIf(event = '$pageview') AS pageviews_count,
        sum(ifNull(revenue, 0)) AS lifetime_value
    FROM events
    GROUP BY tenant_id, user_id
),

-- the last $set of each name, else the first $set_once
said AS (
    SELECT
        tenant_id,
        user_id,
        pair.1 AS name,
        if(
            max(is_set), argMaxIf(pair.2, timestamp, is_set), argMin(pair.2, timestamp)
        ) AS value
    FROM (
        SELECT
            tenant_id,
            user_id,
            timestamp,
            arrayJoin(arrayConcat(
                arrayMap(pair -> (1, pair), JSONExtractKeysAndValuesRaw(properties, '$set')),
                arrayMap(pair -> (0, pair), JSONExtractKeysAndValuesRaw(properties, '$set_once'))
            )) AS said,
            said.1 AS is_set,
            said.2 AS pair
        FROM events
        WHERE position(properties, '"$set') > 0
    )
    GROUP BY tenant_id, user_id, name
),

attributes AS (
    SELECT tenant_id, user_id, mapFromArrays(groupArray(name), groupArray(value)) AS attributes
    FROM said
    GROUP BY tenant_id, user_id
)

SELECT *
FROM activity
LEFT JOIN visits USING (tenant_id, user_id)
LEFT JOIN attributes USING (tenant_id, user_id)
