"""Lines as broken clients send them, one per reason for which the event contract rejects a row."""

from typing import Any

from sample.spellings import CSV_HEADER

# Fewer than one in a hundred lines of any file; the good lines around them must all arrive.
NDJSON_LINES: tuple[bytes, ...] = (
    b'{"uuid": "broken-01", "event": "$pageview", "distinct_id": "half-a-li',
    b"<html><body>502 Bad Gateway</body></html>",
    b'{"uuid": "broken-03", "distinct_id": "a", "timestamp": "2026-10-05 10:00:00", "tenant_id": "lisbon"}',
    b'{"uuid": "broken-04", "event": "$pageview", "timestamp": "2026-10-05 10:00:00", "tenant_id": "lisbon"}',
    b'{"uuid": "broken-05", "event": "$pageview", "distinct_id": "a", "timestamp": "2026-10-05 10:00:00"}',
    b'{"uuid": "broken-06", "event": "$pageview", "distinct_id": "a", "timestamp": "last Monday",'
    b' "tenant_id": "lisbon"}',
    b'{"uuid": "broken-07", "event": "$pageview", "distinct_id": "a", "timestamp": "1970-01-01 00:00:07",'
    b' "tenant_id": "lisbon"}',
    b'{"uuid": "broken-08", "event": "$pageview", "distinct_id": "a", "timestamp": "2031-01-01 00:00:00",'
    b' "received_at": "2026-10-05 10:00:00", "tenant_id": "lisbon"}',
    b'{"uuid": "broken-09", "event": "$pageview", "distinct_id": "a", "timestamp": "2026-10-05 10:00:00",'
    b' "tenant_id": "lisbon", "properties": ["not", "an", "object"]}',
)


def _csv(**cells: str) -> bytes:
    return ",".join(cells.get(name, "") for name in CSV_HEADER).encode() + b"\n"


_GOOD = {"location_id": "porto", "event_name": "page_view", "timestamp": "2026-10-05T10:00:00Z", "anonymous_id": "a"}
CSV_LINES: tuple[bytes, ...] = (
    b"broken-21,porto,page_view\n",
    _csv(**_GOOD | {"event_id": "broken-22", "timestamp": "05/10/26 ten o'clock"}),
    _csv(**_GOOD | {"event_id": "broken-23", "location_id": ""}),
    _csv(**_GOOD | {"event_id": "broken-24", "properties": "not json"}),
)

PARQUET_ROWS: tuple[dict[str, Any], ...] = (
    {"event_id": "broken-31", "organization_id": "madrid", "distinct_id": "a", "timestamp": 1791194400000000},
    {"event_id": "broken-32", "organization_id": "madrid", "event": "pageview", "timestamp": 1791194400000000},
    {"event_id": "broken-33", "organization_id": "madrid", "event": "pageview", "distinct_id": "a"},
)
