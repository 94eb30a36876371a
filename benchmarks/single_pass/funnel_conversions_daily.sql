SELECT tenant_id, funnel_id, entry_date, step_number, uniqExact(user_id) AS users_count
FROM funnel_events
GROUP BY tenant_id, funnel_id, entry_date, step_number
