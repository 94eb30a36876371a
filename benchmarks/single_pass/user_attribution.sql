SELECT
    tenant_id,
    user_id,
    argMin((utm_source, utm_medium, utm_campaign, channel, session_id), session_start) AS first_touch,
    argMax((utm_source, utm_medium, utm_campaign, channel, session_id), session_start) AS recent_touch,
    argMaxIf(channel, session_start, channel != 'Direct') AS last_non_direct_channel,
    count() AS sessions_count
FROM sessions
GROUP BY tenant_id, user_id
