{{ config(materialized='view', settings={}) }}
-- One row per (month, currency), over all organizations: for operators. It has no tenant_id, so no analyst of one
-- tenant sees it. People of two organizations are two.
select
    month,
    currency,
    count() as organizations_count,
    sum(active_users_count) as active_users_count,
    sum(calls_count) as calls_count,
    sum(subscription_revenue) as subscription_revenue,
    sum(usage_revenue) as usage_revenue,
    sum(total_revenue) as total_revenue
from {{ ref('mcp_billing_months') }}
group by month, currency
