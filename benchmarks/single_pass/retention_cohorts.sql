SELECT
    tenant_id,
    cohort_date,
    any(users_count) AS users_count,
    anyIf(toNullable(retained_count), period_number = 1) AS day_1_count,
    anyIf(toNullable(retained_count), period_number = 7) AS day_7_count,
    anyIf(toNullable(retained_count), period_number = 14) AS day_14_count,
    anyIf(toNullable(retained_count), period_number = 30) AS day_30_count,
    anyIf(toNullable(retained_count), period_number = 60) AS day_60_count,
    anyIf(toNullable(retained_count), period_number = 90) AS day_90_count
FROM retention
WHERE retention_id = 'daily'
GROUP BY tenant_id, cohort_date
