WITH people AS (
    SELECT tenant_id, user_id, min(timestamp) AS first_seen_at, max(timestamp) AS last_seen_at
    FROM events
    GROUP BY tenant_id, user_id
),

visits AS (
    SELECT
        tenant_id,
        user_id,
        utm_source != '' OR utm_medium != '' OR notEmpty(click_ids) OR entry_referring_domain != '' AS is_touch,
        (
            utm_source, utm_medium, utm_campaign, utm_term, utm_content, click_ids['gclid'], click_ids['fbclid'],
            click_ids['msclkid'], entry_referrer, entry_referring_domain, channel, session_id, session_start
        ) AS touch,
        session_start,
        channel
    FROM sessions
),

touches AS (
    SELECT
        tenant_id,
        user_id,
        argMinIf(touch, session_start, is_touch) AS first_touch,
        argMaxIf(touch, session_start, is_touch) AS recent_touch,
        argMaxIf(channel, session_start, channel != 'Direct') AS last_channel,
        count() AS sessions_count
    FROM visits
    GROUP BY tenant_id, user_id
)

SELECT
    *,
    if(last_channel = '', 'Direct', last_channel) AS last_non_direct_channel,
    dateDiff('day', first_seen_at, last_seen_at) AS days_between_first_last
FROM people
LEFT JOIN touches USING (tenant_id, user_id)
