-- Daily cohorts of first-time visitors; weekly and monthly ones come from the same days.
WITH days AS (
    SELECT DISTINCT e.tenant_id AS tenant_id, i.user_id AS user_id, e.event_date AS date
    FROM int_events AS e
    INNER JOIN identities AS i ON e.tenant_id = i.tenant_id AND e.distinct_id = i.distinct_id
)

SELECT
    tenant_id,
    cohort,
    arrayJoin(arrayMap(day -> day - cohort, dates)) AS period_number,
    count() AS retained_count
FROM (SELECT tenant_id, user_id, groupArray(date) AS dates, min(date) AS cohort FROM days GROUP BY tenant_id, user_id)
GROUP BY tenant_id, cohort, period_number
