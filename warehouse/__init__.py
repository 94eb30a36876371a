"""The ClickHouse connection: settings, the local server, locking and publishing. Imports nothing else of ours."""
