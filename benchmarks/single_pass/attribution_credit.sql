-- All five models, over the touches of the 30 days before: of more than fifty the first and the latest 49.
WITH touches AS (
    SELECT
        tenant_id,
        user_id,
        arraySort(groupArray(
            (session_start, session_id, channel, utm_source, utm_medium, utm_campaign)
        )) AS touches
    FROM sessions
    WHERE utm_source != '' OR utm_medium != '' OR notEmpty(click_ids) OR entry_referring_domain != ''
    GROUP BY tenant_id, user_id
),

paths AS (
    SELECT
        c.tenant_id AS tenant_id,
        c.user_id AS user_id,
        c.event_id AS conversion_event_id,
        c.event AS conversion_event,
        c.timestamp AS conversion_at,
        c.revenue AS revenue,
        arrayFilter(t -> t.1 BETWEEN c.timestamp - INTERVAL 30 DAY AND c.timestamp, touches) AS found,
        if(length(found) > 50, arrayPushFront(arraySlice(found, -49), found[1]), found) AS counted,
        if(empty(found), [(c.timestamp, '', 'Direct', '', '', '')], counted) AS path
    FROM events AS c
    LEFT JOIN touches ON c.tenant_id = touches.tenant_id AND c.user_id = touches.user_id
    WHERE c.revenue IS NOT NULL
),

weighted AS (
    SELECT
        * EXCEPT (found, counted),
        length(path) AS n,
        arrayJoin([
            ('first', arrayMap(i -> toFloat64(i = 1), arrayEnumerate(path))),
            ('last', arrayMap(i -> toFloat64(i = n), arrayEnumerate(path))),
            ('linear', arrayMap(i -> toFloat64(1), arrayEnumerate(path))),
            ('position', arrayMap(
                i -> multiIf(n <= 2, toFloat64(1), i IN (1, n), 0.4, 0.2 / (n - 2)), arrayEnumerate(path)
            )),
            ('time_decay', arrayMap(
                t -> exp2(-dateDiff('microsecond', t.1, conversion_at) / (7 * 86400 * 1e6)), path
            ))
        ]) AS shares
    FROM paths
)

SELECT
    tenant_id,
    conversion_event_id,
    shares.1 AS model,
    touch.2 AS session_id,
    user_id,
    conversion_at,
    conversion_event,
    touch.3 AS channel,
    touch.4 AS utm_source,
    touch.5 AS utm_medium,
    touch.6 AS utm_campaign,
    weight / arraySum(shares.2) AS credit,
    revenue * credit AS credited_revenue
FROM weighted
ARRAY JOIN path AS touch, shares.2 AS weight
WHERE weight > 0
