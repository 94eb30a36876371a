"""Posted rows that no load would take: $FOOTFALL_HOME/quarantine/<table>/YYYY-MM-DD/*.ndjson, each with the reason."""

from datetime import UTC, datetime
from pathlib import Path

import orjson

from ingest.landing_folder import TABLES
from warehouse.settings import Settings

_READ_BYTES = 1 << 20


def folder(settings: Settings) -> Path:
    """Where the quarantine of a home is."""
    return settings.home / "quarantine"


def line_of(row: bytes, reason: str, tenant: str) -> bytes:
    """What is kept of a row: the row as it came, when, with the key of which tenant, and why no load would take it."""
    told = {"at": datetime.now(UTC).isoformat(), "tenant_id": tenant, "reason": reason}
    return orjson.dumps(told | {"row": row.decode(errors="replace")})


def counts(settings: Settings) -> dict[str, int]:
    """How many rows there are of each table, of tables that have some; those of files that still grow, too."""
    found = {table: sum(map(_lines, (folder(settings) / table).glob("*/*.ndjson"))) for table in TABLES}
    return {table: count for table, count in found.items() if count}


def _lines(path: Path) -> int:
    count = 0
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            count += piece.count(b"\n")
    return count
