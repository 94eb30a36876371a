"""Files in, raw tables out: readers per format, the event contract in SQL, the load ledger."""
