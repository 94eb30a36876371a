{{ config(materialized='view', settings={}) }}
-- One row per (tenant_id, user_id) who was ever active, as seen from the tenant's as_of_date; so nothing is written
-- again while days pass.
with active_days as ({{ active_days() }})

select
    active_days.tenant_id as tenant_id,
    active_days.user_id as user_id,
    any(tenants.as_of_date) as as_of_date,
    min(active_days.date) as first_active_date,
    max(active_days.date) as last_active_date,
    count() as active_days_count,
    -- an event may be of a later day than its source was read
    toUInt32(greatest(as_of_date - last_active_date, 0)) as days_inactive,
    sumIf(active_days.calls_count, active_days.date > tenants.as_of_date - {{ var('power_user_days') }}) as calls_30d,
    toUInt8(calls_30d > {{ var('power_user_calls') }}) as is_power_user,
    toUInt8(
        days_inactive > {{ var('at_risk_after_days') }} and days_inactive <= {{ var('lapsed_after_days') }}
    ) as is_at_risk,
    toUInt8(days_inactive > {{ var('lapsed_after_days') }}) as is_lapsed
from active_days
inner join {{ ref('tenants') }} as tenants on active_days.tenant_id = tenants.tenant_id
group by tenant_id, user_id
