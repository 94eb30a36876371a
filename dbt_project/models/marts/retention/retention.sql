{{ config(
    order_by=['tenant_id', 'retention_id', 'cohort_date', 'period_number'],
    meta={'rebuilt_with': ['changed_retention_moves']},
) }}
{% do follow('changed_retention_cells', ['tenant_id', 'retention_id', 'cohort_date', 'period_number']) %}
-- One row per definition, cohort and period, up to the period of the tenant's last event: beyond it nothing is known,
-- and unknown is not zero. Tells how many of the cohort's people did the return event in that period.
select
    tenant_id,
    retention_id,
    cohort_date,
    period_number,
    users_count,
    retained_count,
    is_complete,
    {{ build_seq() }} as _build_seq
from {{ ref('changed_retention_cells') }}
where is_there
