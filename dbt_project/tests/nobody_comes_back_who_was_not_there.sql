{{ config(meta={'dagster': {'ref': {'name': 'retention'}}}) }}
select
    tenant_id,
    retention_id,
    cohort_date,
    period_number
from {{ ref('retention') }}
where
    {{ of_this_build() }}
    and (
        users_count = 0
        or retained_count > users_count
        or (period_number = 0 and retained_count != users_count)
    )
