-- By the session id that was sent, else the device's whole day. No islands, no cutting, no channel.
SELECT
    tenant_id,
    session_key,
    if(startsWith(session_key, 's:'), toDate(0), event_date) AS day,
    min(timestamp) AS session_start,
    max(timestamp) AS session_end,
    argMin(distinct_id, (timestamp, event_id)) AS first_distinct_id,
    argMax(distinct_id, (timestamp, event_id)) AS last_distinct_id,
    count() AS events_count,
    countIf(is_pageview) AS pageviews_count,
    argMinIf(current_url, timestamp, current_url != '') AS entry_url,
    argMaxIf(current_url, timestamp, current_url != '') AS exit_url,
    argMinIf(referrer, timestamp, referrer != '') AS entry_referrer,
    argMinIf(referring_domain, timestamp, referring_domain != '') AS entry_referring_domain,
    argMinIf(utm_source, timestamp, utm_source != '') AS utm_source,
    argMinIf(utm_medium, timestamp, utm_medium != '') AS utm_medium,
    argMinIf(utm_campaign, timestamp, utm_campaign != '') AS utm_campaign,
    argMinIf(browser, timestamp, browser != '') AS browser,
    argMinIf(os, timestamp, os != '') AS os,
    argMinIf(device_type, timestamp, device_type != '') AS device_type,
    argMinIf(country, timestamp, country != '') AS country,
    sum(revenue) AS revenue
FROM int_events
GROUP BY tenant_id, session_key, day
