{{ config(order_by=['tenant_id', 'cohort_date']) }}
{% set changed = follow('changed_retention_cells', ['tenant_id', 'cohort_date'], where="retention_id = 'daily'") %}
-- One row per (tenant_id, cohort_date): the definition `daily`, with the days that people ask for side by side. NULL
-- for a day that lies after the tenant's last event.
select
    tenant_id,
    cohort_date,
    max(users_count) as users_count,
    {% for day in [1, 7, 14, 30, 60, 90] -%}
    anyIf(toNullable(retained_count), period_number = {{ day }}) as day_{{ day }}_count,
    {% endfor -%}
    {{ build_seq() }} as _build_seq
from {{ ref('retention') }}
where
    retention_id = 'daily'
    -- a tenant may have redefined `daily` by week or month: that has no days
    and tenant_id in (
        select tenant_id from {{ ref('int_retention_definitions') }} where retention_id = 'daily' and period = 'day'
    )
    {{ changed }}
group by tenant_id, cohort_date
