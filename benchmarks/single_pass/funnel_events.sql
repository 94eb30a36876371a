-- The bundled funnel: page, then identify, then revenue, within two weeks. From each first step the earliest second one,
-- from there the earliest third; of a person's attempts of a day the one that came furthest.
WITH first AS (
    SELECT tenant_id, user_id, event_id, timestamp FROM events WHERE event_type = 'page'
),

second AS (
    SELECT tenant_id, user_id, event_id, timestamp FROM events WHERE event_type = 'identify'
),

third AS (
    SELECT tenant_id, user_id, event_id, timestamp FROM events WHERE revenue > 0
),

two_steps AS (
    SELECT
        first.tenant_id AS tenant_id,
        first.user_id AS user_id,
        first.timestamp AS at_1,
        first.event_id AS id_1,
        if(second.timestamp <= at_1 + INTERVAL 14 DAY, second.event_id, '') AS id_2,
        second.timestamp AS at_2
    FROM first
    ASOF LEFT JOIN second
        ON first.tenant_id = second.tenant_id AND first.user_id = second.user_id AND second.timestamp >= first.timestamp
),

attempts AS (
    SELECT
        two_steps.tenant_id AS tenant_id,
        two_steps.user_id AS user_id,
        at_1,
        id_1,
        id_2,
        at_2,
        if(id_2 != '' AND third.timestamp <= at_1 + INTERVAL 14 DAY, third.event_id, '') AS id_3,
        third.timestamp AS at_3
    FROM two_steps
    ASOF LEFT JOIN third
        ON
            two_steps.tenant_id = third.tenant_id
            AND two_steps.user_id = third.user_id
            AND third.timestamp >= two_steps.at_2
),

best AS (
    SELECT
        tenant_id,
        user_id,
        toDate(at_1) AS entry_date,
        argMin([(1, id_1, at_1), (2, id_2, at_2), (3, id_3, at_3)], (-(id_2 != '') - (id_3 != ''), at_1, id_1)) AS steps
    FROM attempts
    GROUP BY tenant_id, user_id, entry_date
)

SELECT
    tenant_id,
    'visitor_to_customer' AS funnel_id,
    user_id,
    entry_date,
    step.1 AS step_number,
    step.2 AS event_id,
    step.3 AS timestamp,
    if(step_number = 1, NULL, dateDiff('microsecond', steps[step_number - 1].3, timestamp) / 1e6) AS seconds_from_previous
FROM best
ARRAY JOIN steps AS step
WHERE event_id != ''
