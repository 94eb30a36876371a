-- The three bundled definitions, all of any event.
WITH periods AS (
    SELECT
        tenant_id,
        user_id,
        period.1 AS retention_id,
        groupUniqArray(period.2) AS seen,
        arrayMin(seen) AS cohort
    FROM (SELECT DISTINCT tenant_id, user_id, event_date FROM events)
    ARRAY JOIN [
        ('daily', toInt32(event_date)),
        ('weekly', toInt32(intDiv(toInt32(event_date) + 3, 7))),
        ('monthly', toInt32(toYear(event_date) * 12 + toMonth(event_date) - 1))
    ] AS period
    GROUP BY tenant_id, user_id, retention_id
),

cohorts AS (
    SELECT
        tenant_id,
        retention_id,
        cohort,
        count() AS users_count,
        max(arrayMax(seen)) AS last_seen,
        sumMap(arrayMap(period -> toUInt16(period - cohort), seen), arrayMap(period -> 1, seen)) AS counts
    FROM periods
    GROUP BY tenant_id, retention_id, cohort
),

grid AS (
    SELECT *, max(last_seen) OVER (PARTITION BY tenant_id, retention_id) AS last
    FROM cohorts
)

SELECT
    tenant_id,
    retention_id,
    multiIf(
        retention_id = 'daily', toDate(cohort),
        retention_id = 'weekly', toDate(cohort * 7 - 3),
        makeDate(intDiv(cohort, 12), cohort % 12 + 1, 1)
    ) AS cohort_date,
    period_number,
    users_count,
    if(has(counts.1, period_number), counts.2[indexOf(counts.1, period_number)], 0) AS retained_count,
    period_number < last - cohort AS is_complete
FROM grid
ARRAY JOIN range(
    toUInt16(least(last - cohort, multiIf(retention_id = 'daily', 90, retention_id = 'weekly', 52, 24)) + 1)
) AS period_number
