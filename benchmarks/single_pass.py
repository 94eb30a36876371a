"""What the marts cost if each were one plain query over the published `events`: the yardstick for a full rebuild.

The queries in ``single_pass/`` are what a good analyst would write: one a mart, from the events and nothing else of
Footfall's, with the mart's columns; a query may name another. They answer as the marts do where nothing is out of the
ordinary (tests/cost compares them); what a mart knows beyond that, such as sessions over 24 hours, chains of merged
ids, exact ties and definitions as data, they leave out.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clickhouse_connect.driver.client import Client

from warehouse.connection import Warehouse

QUERIES = Path(__file__).with_name("single_pass")
# Queries that others name come first, as a view's columns must be known.
_FIRST = ("sessions", "funnel_events", "retention")


@contextmanager
def plain_queries(warehouse: Warehouse) -> Iterator[Client]:
    """A client in a database of its own where each query is a view with the mart's name, `events` the published ones.

    The query for `events` itself, which goes without duplicates, is the view `deduplicated_events`.
    """
    settings = warehouse.settings
    scratch = {"scratch": f"{settings.database}_single_pass"}
    with warehouse.client() as client:
        client.command("CREATE DATABASE {scratch:Identifier}", parameters=scratch)
    try:
        with warehouse.client(scratch["scratch"]) as client:
            # A parameter would become the view's own: the names of databases are written out.
            client.command(f"CREATE VIEW events AS SELECT * FROM `{settings.database}`.events")  # noqa: S608
            for table in ("events", "identity_mappings"):
                client.command(
                    f"CREATE VIEW raw_{table} AS SELECT * FROM `{settings.raw_database}`.{table} WHERE load_id IN"  # noqa: S608
                    f" (SELECT load_id FROM `{settings.raw_database}`.loads WHERE load_seq <="
                    f" (SELECT max(to_seq) FROM `{settings.database}`.int_build_range))"
                )
            for mart in sorted(marts(), key=_order):
                query = (QUERIES / f"{mart}.sql").read_text(encoding="utf-8")
                client.command(f"CREATE VIEW {view_of(mart)} AS {query}")
            yield client
    finally:
        with warehouse.client() as client:
            client.command("DROP DATABASE {scratch:Identifier} SYNC", parameters=scratch)


def marts() -> list[str]:
    """The marts that have a plain query."""
    return sorted(path.stem for path in QUERIES.glob("*.sql"))


def view_of(mart: str) -> str:
    """The view that holds a mart's plain query."""
    return "deduplicated_events" if mart == "events" else mart


def seconds_by_mart(warehouse: Warehouse, *, from_events: bool) -> dict[str, float]:
    """Seconds of each query, its answer written to a table sorted by tenant.

    `from_events`: every mart from the events alone, so sessions are worked out for each mart that is about them. Else
    queries read the answers of those that they name, as somebody would who wrote them one after the other.
    """
    seconds: dict[str, float] = {}
    with plain_queries(warehouse) as client:
        for mart in sorted(marts(), key=_order):
            started = time.perf_counter()
            client.command(
                f"CREATE TABLE {mart}_answer ENGINE = MergeTree ORDER BY tenant_id AS SELECT * FROM {view_of(mart)}"  # noqa: S608
            )
            seconds[mart] = time.perf_counter() - started
            if mart in _FIRST and not from_events:
                client.command(f"CREATE OR REPLACE VIEW {mart} AS SELECT * FROM {mart}_answer")  # noqa: S608
    return seconds


def _order(mart: str) -> tuple[bool, str]:
    return mart not in _FIRST, mart


def ratio(ours: float, theirs: float) -> float:
    """How many times as long ours took, to two places. Raises ValueError if there is nothing to compare with."""
    if theirs <= 0:
        raise ValueError("the yardstick took no time")
    return round(ours / theirs, 2)
