"""What the marts cost if one plain query each were run over the same events: the yardstick for a full rebuild.

The queries in ``single_pass/`` do less than the marts: no chains of merged ids, no derived sessions, no exact ties,
one funnel, one retention. Each writes into a fresh table sorted by tenant.
"""

import time
from pathlib import Path

from warehouse.connection import Warehouse

QUERIES = Path(__file__).with_name("single_pass")


def seconds_by_mart(warehouse: Warehouse) -> dict[str, float]:
    """Seconds of each query against the published tables, its result written to a table that is dropped again."""
    settings = warehouse.settings
    scratch = f"{settings.database}_single_pass"
    seconds: dict[str, float] = {}
    with warehouse.client(settings.database) as client:
        names = {"scratch": scratch, "raw": settings.raw_database}
        client.command("CREATE DATABASE {scratch:Identifier}", parameters=names)
        try:
            for path in sorted(QUERIES.glob("*.sql")):
                # a view over the raw table would hide its columns from EXCEPT
                query = path.read_text(encoding="utf-8").replace("FROM raw_events", "FROM {raw:Identifier}.events")
                started = time.perf_counter()
                client.command(
                    f"CREATE TABLE {{scratch:Identifier}}.{path.stem} ENGINE = MergeTree ORDER BY tenant_id AS {query}",
                    parameters=names,
                )
                seconds[path.stem] = time.perf_counter() - started
        finally:
            client.command("DROP DATABASE {scratch:Identifier} SYNC", parameters=names)
    return seconds


def ratio(ours: float, theirs: float) -> float:
    """How many times as long ours took, to two places. Raises ValueError if there is nothing to compare with."""
    if theirs <= 0:
        raise ValueError("the yardstick took no time")
    return round(ours / theirs, 2)
