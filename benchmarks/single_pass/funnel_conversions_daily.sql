WITH entries AS (
    SELECT
        tenant_id,
        funnel_id,
        entry_date,
        user_id,
        count() AS reached,
        arraySort(groupArray((step_number, ifNull(seconds_from_previous, 0)))).2 AS seconds
    FROM funnel_events
    GROUP BY tenant_id, funnel_id, entry_date, user_id
)

SELECT
    tenant_id,
    funnel_id,
    entry_date,
    step_number,
    countIf(reached >= step_number) AS users_count,
    users_count / count() AS conversion_from_first,
    users_count / countIf(reached >= step_number - 1) AS conversion_from_previous,
    medianExactIf(seconds[step_number], reached >= step_number) AS median_seconds_from_previous,
    quantileExactIf(0.9)(seconds[step_number], reached >= step_number) AS p90_seconds_from_previous
FROM entries
ARRAY JOIN [1, 2, 3] AS step_number
GROUP BY tenant_id, funnel_id, entry_date, step_number
