"""What a build records of its tables, counts and pictures included, costs what changed and not what there is."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import orjson
import pytest

from benchmarks.generate import write_days
from ingest.loading import load_paths
from reporting import PICTURED
from tests.cli.conftest import footfall_of
from tests.cost.conftest import small_grained
from warehouse.connection import Warehouse

# More than the longest of the pictures shows, so that a whole table would be seen.
DAYS = 120
EVENTS_PER_DAY = 200
# Of these tables a picture reads the latest two months of four, and what the build wrote.
LARGEST_SHARE_OF_CREDITS = 0.6
LARGEST_SHARE_OF_USERS = 0.1
LARGEST_SHARE_OF_HISTORY = 0.05


@dataclass
class Recorded:
    """The build of a login and a purchase: its record, the statements that it took, and the rows of the tables.

    Of a statement the tables, the rows that it read, and its text.
    """

    metadata: dict[str, dict[str, Any]]
    statements: list[tuple[set[str], int, str]]
    rows: dict[str, int]


@pytest.fixture(scope="module")
def recorded(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    folder = tmp_path_factory.mktemp("recording")
    with small_grained(server, folder) as warehouse, pytest.MonkeyPatch.context() as environment:
        environment.setenv("DAGSTER_HOME", str(folder / "dagster"))
        days = write_days(
            folder / "landing", events_per_day=EVENTS_PER_DAY, days=DAYS, first_day=date(2026, 1, 1), seed=7
        )
        history = folder / "history.ndjson"
        history.write_bytes(b"".join(day.read_bytes() for day in days))
        _load_and_build(warehouse, history)
        _load_and_build(warehouse, _login_and_purchase(warehouse, folder))
        statements, rows = _statements(warehouse), _rows(warehouse)
        with dg.DagsterInstance.get() as instance:
            yield Recorded({table: _metadata(instance, table) for table in rows}, statements, rows)


def _load_and_build(warehouse: Warehouse, file: Path) -> None:
    assert [result.status for result in load_paths(warehouse, "events", [file])] == ["loaded"]
    result = footfall_of(warehouse, DAGSTER_HOME=os.environ["DAGSTER_HOME"])("build")
    assert result.returncode == 0, result.stderr


def _login_and_purchase(warehouse: Warehouse, folder: Path) -> Path:
    """Whoever did most under one id turns out to be somebody, and buys: most tables with a picture change."""
    with warehouse.client(warehouse.settings.database) as client:
        tenant, anonymous_id, last = client.query(
            "SELECT tenant_id, user_id, toString(last_seen_at) FROM users WHERE NOT is_identified"
            " ORDER BY events_count DESC, user_id LIMIT 1"
        ).first_row
    event = {"tenant_id": tenant, "distinct_id": "somebody", "timestamp": last}
    login = {**event, "event": "$identify", "properties": {"$anon_distinct_id": anonymous_id}}
    purchase = {**event, "event": "order_completed", "properties": {"revenue": 10}}
    file = folder / "login.ndjson"
    file.write_bytes(orjson.dumps(login) + b"\n" + orjson.dumps(purchase) + b"\n")
    return file


def _metadata(instance: dg.DagsterInstance, table: str) -> dict[str, Any]:
    event = instance.get_latest_materialization_event(dg.AssetKey(table))
    assert event is not None and event.asset_materialization is not None
    return {name: entry.value for name, entry in event.asset_materialization.metadata.items()}


def _rows(warehouse: Warehouse) -> dict[str, int]:
    """The rows of every published table."""
    with warehouse.client(warehouse.settings.database) as client:
        tables = client.query(
            "SELECT name FROM system.tables"
            " WHERE database = currentDatabase() AND engine != 'View' AND name != 'build_log'"
        ).result_rows
        count = "SELECT count() FROM {table:Identifier}"
        return {table: client.query(count, parameters={"table": table}).first_row[0] for (table,) in tables}


def _statements(warehouse: Warehouse) -> list[tuple[set[str], int, str]]:
    """What read tables of the warehouse after they were exchanged: what the build recorded."""
    with warehouse.client() as client:
        client.command("SYSTEM FLUSH LOGS query_log")
        rows = client.query(
            """
            WITH (
                SELECT max(event_time_microseconds) FROM system.query_log WHERE query LIKE 'EXCHANGE TABLES%'
            ) AS began
            SELECT tables, read_rows, query
            FROM system.query_log
            WHERE
                type = 'QueryFinish' AND is_initial_query
                AND event_time_microseconds > began
                AND hasAny(databases, [{published:String}, {next:String}])
            """,
            parameters={"published": warehouse.settings.database, "next": warehouse.settings.next_database},
        ).result_rows
    return [({table.partition(".")[2] for table in tables}, read, query) for tables, read, query in rows]


@pytest.mark.slow
def test_what_is_recorded_of_a_small_change_is_read_from_a_small_part_of_the_tables(recorded: Recorded) -> None:
    assert all("picture" in recorded.metadata[table] for table in PICTURED)
    read = [each for each in recorded.statements if each[0] & recorded.rows.keys()]
    # Each is read twice, for the chart and for the small table. Tables with a row per day or so are small.
    assert sum(rows for _, rows, _ in read) < LARGEST_SHARE_OF_HISTORY * sum(recorded.rows.values()), read
    for table, share in (("attribution_credit", LARGEST_SHARE_OF_CREDITS), ("users", LARGEST_SHARE_OF_USERS)):
        shares = [rows / recorded.rows[table] for tables, rows, _ in read if table in tables]
        assert len(shares) == 2 and max(shares) < share, (table, shares)


@pytest.mark.slow
def test_of_a_table_that_did_not_change_the_picture_is_taken_over(recorded: Recorded) -> None:
    metadata = recorded.metadata["retention"]
    assert (metadata["rows written"], metadata["rows deleted"]) == (0, 0)
    assert not [query for tables, _, query in recorded.statements if "retention" in tables]


@pytest.mark.slow
def test_row_counts_that_are_added_up_are_those_of_the_tables(recorded: Recorded) -> None:
    assert all(recorded.metadata[table]["rows deleted"] > 0 for table in ("users", "sessions", "attribution_credit"))
    assert {table: recorded.metadata[table]["dagster/row_count"] for table in recorded.rows} == recorded.rows
    counted = [query for _, _, query in recorded.statements if query.startswith("SELECT count()")]
    assert not counted, "to count the rows of a table is to look at each"
