{{ config(materialized='view', settings={}) }}
-- One row per (tenant_id, server_id) with a call of somebody: its people by what they are as of the tenant's
-- as_of_date.
with people as (
    select
        calls.tenant_id as tenant_id,
        calls.server_id as server_id,
        calls.user_id as user_id,
        any(tenants.as_of_date) as as_of_date,
        min(calls.date) as first_date,
        max(calls.date) as last_date,
        sumIf(calls.calls_count, calls.date > tenants.as_of_date - {{ var('power_user_days') }}) as recent_calls_count
    from ({{ calls_of_people() }}) as calls
    inner join {{ ref('tenants') }} as tenants on calls.tenant_id = tenants.tenant_id
    group by tenant_id, server_id, user_id
)

select
    tenant_id,
    server_id,
    countIf(first_date >= toStartOfMonth(as_of_date)) as new_users_this_month_count,
    countIf(first_date < toStartOfMonth(as_of_date)) as returning_users_count,
    countIf(recent_calls_count > {{ var('power_user_calls') }}) as power_users_count,
    countIf(
        as_of_date - last_date > {{ var('at_risk_after_days') }}
        and as_of_date - last_date <= {{ var('lapsed_after_days') }}
    ) as at_risk_users_count
from people
group by tenant_id, server_id
