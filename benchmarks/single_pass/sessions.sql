-- By the session id that was sent. An event without one counts in the session of its id that is going on; where the id
-- never sends any, it is by device, with a new one after half an hour of silence.
WITH going_on AS (
    SELECT tenant_id, arrayJoin(units) AS unit, session_id, started_at, over_at
    FROM (
        SELECT
            tenant_id,
            session_id,
            min(timestamp) AS started_at,
            max(timestamp) + INTERVAL 30 MINUTE AS over_at,
            groupUniqArrayArray([device_id, distinct_id]) AS units
        FROM events
        WHERE session_id != ''
        GROUP BY tenant_id, session_id
    )
),

lone AS (
    SELECT *, if(device_id != '', device_id, distinct_id) AS unit FROM events WHERE session_id = ''
),

keyed AS (
    SELECT *, session_id AS key FROM events WHERE session_id != ''
    UNION ALL
    SELECT lone.* EXCEPT (unit), going_on.session_id AS key
    FROM lone
    ASOF JOIN going_on
        ON lone.tenant_id = going_on.tenant_id AND lone.unit = going_on.unit AND lone.timestamp >= going_on.started_at
    WHERE lone.timestamp <= going_on.over_at
    UNION ALL
    SELECT
        * EXCEPT (unit, is_start),
        concat(unit, ' ', toString(sum(is_start) OVER (PARTITION BY tenant_id, unit ORDER BY timestamp, event_id))) AS key
    FROM (
        SELECT
            *,
            timestamp > lagInFrame(timestamp) OVER (
                PARTITION BY tenant_id, unit ORDER BY timestamp, event_id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW
            ) + INTERVAL 30 MINUTE AS is_start
        FROM lone
        WHERE (tenant_id, unit) NOT IN (SELECT tenant_id, unit FROM going_on)
    )
),

grouped AS (
    SELECT
        e.tenant_id AS tenant_id,
        e.key AS session_id,
        if(
            max(e.is_identified),
            argMaxIf(e.user_id, e.timestamp, e.is_identified),
            argMin(e.user_id, e.timestamp)
        ) AS user_id,
        min(e.timestamp) AS session_start,
        max(e.timestamp) AS session_end,
        max(e.session_id) = '' AS is_derived,
        argMin(e.distinct_id, e.timestamp) AS first_distinct_id,
        argMax(e.distinct_id, e.timestamp) AS last_distinct_id,
        max(e.is_identified) AS is_identified,
        max(e.is_identified) AND NOT argMin(e.is_identified, e.timestamp) AS became_identified,
        count() AS events_count,
        countIf(e.event = '$pageview') AS pageviews_count,
        argMin(e.current_url, (e.is_pageless, e.timestamp)) AS entry_url,
        argMin(e.host, (e.is_pageless, e.timestamp)) AS entry_host,
        argMin(e.pathname, (e.is_pageless, e.timestamp)) AS entry_pathname,
        argMin(e.referrer, (e.is_pageless, e.timestamp)) AS entry_referrer,
        argMin(e.referring_domain, (e.is_pageless, e.timestamp)) AS entry_referring_domain,
        argMaxIf(e.current_url, e.timestamp, NOT e.is_pageless) AS exit_url,
        argMaxIf(e.pathname, e.timestamp, NOT e.is_pageless) AS exit_pathname,
        argMinIf(e.utm_source, e.timestamp, e.names_campaign) AS utm_source,
        argMinIf(e.utm_medium, e.timestamp, e.names_campaign) AS utm_medium,
        argMinIf(e.utm_campaign, e.timestamp, e.names_campaign) AS utm_campaign,
        argMinIf(e.utm_term, e.timestamp, e.names_campaign) AS utm_term,
        argMinIf(e.utm_content, e.timestamp, e.names_campaign) AS utm_content,
        argMinIf(e.click_ids, e.timestamp, e.names_campaign) AS click_ids,
        argMinIf(e.browser, e.timestamp, e.browser != '') AS browser,
        argMinIf(e.os, e.timestamp, e.os != '') AS os,
        argMinIf(e.device_type, e.timestamp, e.device_type != '') AS device_type,
        argMinIf(e.user_agent, e.timestamp, e.user_agent != '') AS user_agent,
        argMinIf(e.ip_address, e.timestamp, e.ip_address != '') AS ip_address,
        argMinIf(e.country, e.timestamp, e.country != '') AS country,
        argMinIf(e.city, e.timestamp, e.city != '') AS city,
        argMinIf(e.timezone, e.timestamp, e.timezone != '') AS timezone,
        sum(ifNull(e.revenue, 0)) AS revenue
    FROM (
        SELECT
            *,
            current_url = '' AND host = '' AND pathname = '' AS is_pageless,
            concat(utm_source, utm_medium, utm_campaign, utm_term, utm_content) != '' OR notEmpty(click_ids)
                AS names_campaign
        FROM keyed
    ) AS e
    GROUP BY tenant_id, session_id
)

SELECT
    *,
    toDate(session_start) AS session_date,
    dateDiff('microsecond', session_start, session_end) / 1e6 AS duration_seconds,
    row_number() OVER (PARTITION BY tenant_id, user_id ORDER BY session_start, session_id) AS session_number,
    session_number = 1 AS is_first_session,
    pageviews_count <= 1 AND duration_seconds < 10 AS is_bounce,
    multiIf(
        utm_medium IN ('cpc', 'ppc'), 'Paid Search',
        utm_medium = 'paid_social', 'Paid Social',
        utm_medium = 'email', 'Email',
        utm_medium = 'affiliate', 'Affiliates',
        utm_medium = 'display', 'Display',
        match(entry_referring_domain, '(google|bing|duckduckgo|yahoo)\\.'), 'Organic Search',
        match(entry_referring_domain, '(facebook|instagram|linkedin|reddit)\\.'), 'Organic Social',
        entry_referring_domain != '', 'Referral',
        utm_source != '' OR notEmpty(click_ids), 'Other',
        'Direct'
    ) AS channel
FROM grouped
