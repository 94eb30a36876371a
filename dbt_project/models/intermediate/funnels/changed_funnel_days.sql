{{ config(order_by=['tenant_id', 'funnel_id', 'entry_date']) }}
-- One row per (tenant_id, funnel_id, entry_date) whose figures can differ: days of changed entries, and days whose
-- window is no longer, or is again, open because the tenant's last event moved.
{% call changes() %}
select
    tenant_id,
    funnel_id,
    entry_date
from {{ ref('changed_funnel_entries') }}
union distinct
select
    funnels.tenant_id as tenant_id,
    funnels.funnel_id as funnel_id,
    toDate(toUInt16(arrayJoin(range(
        toUInt64(greatest(least(last_day, previous_last_day) - window_days, 0)),
        toUInt64(greatest(greatest(last_day, previous_last_day) - window_days, 0))
    )))) as entry_date
from (
    select
        steps.tenant_id as tenant_id,
        steps.funnel_id as funnel_id,
        intDiv(toInt64(steps.window_seconds) + 86399, 86400) as window_days,
        toInt64(toUInt16(tenants.last_event_date)) as last_day,
        toInt64(toUInt16(tenants._previous_last_event_date)) as previous_last_day
    from {{ ref('funnel_steps') }} as steps
    inner join {{ ref('int_tenants') }} as tenants on steps.tenant_id = tenants.tenant_id
    -- a tenant that is new, or whose tables are all rebuilt, has no days from before
    where steps.step_number = 1 and last_day != previous_last_day and previous_last_day > 0
) as funnels
{% endcall %}
