-- One version of every row: what a table without duplicates costs at the least. All columns.
SELECT * EXCEPT (load_id, line)
FROM raw_events
ORDER BY tenant_id, event_date, event_id, received_at
LIMIT 1 BY tenant_id, event_date, event_id
