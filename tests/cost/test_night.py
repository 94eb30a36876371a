"""What a nightly build costs follows from what the night brought, not from how much there already is."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from benchmarks.generate import write_days
from benchmarks.single_pass import marts, plain_queries, view_of
from expectations.runner import read_suites, run_suites
from ingest.loading import load_paths
from tests.cli.conftest import footfall_of
from tests.cost.conftest import small_grained
from tests.exactness.builds import Builder
from tests.exactness.stories import File
from warehouse.connection import Warehouse

# A person who returns costs a granule (1024 events) for each day they were there before. So the night must be small
# beside the number of granules, or else reading all of them would be right.
DAYS = 30
EVENTS_PER_DAY = 4000
EVENTS_OF_THE_NIGHT = 60
# An ordinary night reads a tenth; whoever scans the table reads it all.
LARGEST_SHARE = 0.5
LONGEST_NOTHING_SECONDS = 10.0
# The build of a login has some 250 look-ups; in sum they read this share of all rows of the tables at most.
LARGEST_SHARE_OF_HISTORY = 0.3
# Models and tests that read more for a login than others, and how much of the history at most.
READS_MORE = {
    # people, the people linked to them, and so on, each a look-up among ids, whose granules are no smaller here
    "model.footfall.changed_identity_scope": 0.07,
    # a safety net: all rows of the tenant in four tables, but only two columns
    "test.footfall.every_event_is_counted_once": 0.07,
    # a cell per definition, cohort and period, of which there are many beside so few people
    "test.footfall.both_sides_of_a_retention_definition_occurred": 0.025,
    # new names of events are looked for in four weeks of hours, which here are half of the history
    "expectations": 0.1,
}
# What the plain query of a mart answers as the mart does. Not: ids that only mappings name, and chains of merged ids
# (identities); names for derived sessions; sums of floats.
ANSWERS = {
    "attribution_credit": "conversion_event_id, model, user_id, channel, utm_source, utm_campaign, round(credit, 6)",
    "events": "event_date, event_id, event, timestamp, distinct_id, properties",
    "events_hourly": "event, date, hour, events_count, users_count",
    "funnel_conversions_daily": "entry_date, step_number, users_count, conversion_from_first",
    "funnel_events": "user_id, entry_date, step_number, event_id, timestamp, seconds_from_previous",
    "retention": "retention_id, cohort_date, period_number, users_count, retained_count, is_complete",
    "retention_cohorts": "cohort_date, users_count, day_1_count, day_7_count, day_14_count, day_30_count",
    "session_stats_daily": "date, sessions_count, identified_sessions_count, became_identified_sessions_count,"
    " users_count, new_users_count, sessions_with_utm_count, revenue",
    "sessions": "user_id, session_start, session_end, session_number, is_derived, first_distinct_id, last_distinct_id,"
    " is_identified, became_identified, events_count, pageviews_count, is_bounce, entry_url, exit_url, entry_host,"
    " entry_referring_domain, utm_source, utm_campaign, click_ids['gclid'], channel, browser, os, country, timezone,"
    " revenue",
    "user_attribution": "user_id, sessions_count, first_seen_at, last_seen_at, last_non_direct_channel",
    "user_days": "user_id, date, events_count, pageviews_count, sessions_count, revenue",
    "users": "user_id, first_seen_at, last_seen_at, sessions_count, events_count, pageviews_count, lifetime_value",
}


@dataclass
class Night:
    """A warehouse on the morning after, and when the night's build began."""

    warehouse: Warehouse
    builder: Builder
    began: datetime


@pytest.fixture(scope="module")
def night(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """Weeks of history, built and published; then one small night more. On a server of its own, with small granules."""
    folder = tmp_path_factory.mktemp("night")
    with small_grained(server, folder) as warehouse:
        builder = Builder(warehouse, folder / "dbt")
        days = write_days(
            folder / "landing", events_per_day=EVENTS_PER_DAY, days=DAYS + 1, first_day=date(2026, 1, 1), seed=3
        )
        last = days.pop()
        history = folder / "history.ndjson"
        history.write_bytes(b"".join(day.read_bytes() for day in days))
        _load(warehouse, [history])
        builder.build()
        last.write_bytes(b"".join(last.read_bytes().splitlines(keepends=True)[-EVENTS_OF_THE_NIGHT:]))
        _load(warehouse, [last])
        began = _now(warehouse)
        builder.build(publish=False)
        yield Night(warehouse, builder, began)


def _load(warehouse: Warehouse, paths: list[Path]) -> None:
    assert {result.status for result in load_paths(warehouse, "events", paths)} == {"loaded"}


def _now(warehouse: Warehouse) -> datetime:
    with warehouse.client() as client:
        client.command("SYSTEM FLUSH LOGS")
        moment: datetime = client.query("SELECT now64(6, 'UTC')").first_row[0]
    return moment.replace(tzinfo=UTC)


def test_the_yardstick_of_a_full_build_answers_as_the_marts_do(night: Night) -> None:
    # The first test here: the login of the last one is out of the ordinary.
    assert set(marts()) == {*ANSWERS, "identities"}
    with plain_queries(night.warehouse) as client:
        published = {"published": night.warehouse.settings.database}
        for mart, columns in ANSWERS.items():
            plain = f"SELECT tenant_id, {columns} FROM {view_of(mart)}"
            ours = f"SELECT tenant_id, {columns} FROM {{published:Identifier}}.{mart}"
            rows, missing, extra = client.query(
                f"""
                SELECT
                    (SELECT count() FROM ({ours})),
                    (SELECT count() FROM ({ours} EXCEPT {plain})),
                    (SELECT count() FROM ({plain} EXCEPT {ours}))
                """,
                parameters=published,
            ).first_row
            assert rows > 0, mart
            assert (missing, extra) == (0, 0), mart


@pytest.mark.slow
@pytest.mark.parametrize("table", ["int_events", "events"])
def test_no_model_or_test_reads_all_events_on_an_ordinary_night(night: Night, table: str) -> None:
    greedy = _greedy_queries(night.warehouse, night.began, table)
    assert not greedy, "\n".join(greedy)


def _greedy_queries(warehouse: Warehouse, began: datetime, table: str) -> list[str]:
    """The queries of models and tests since then that read more than the largest share of all events."""
    settings = warehouse.settings
    database = settings.next_database if table == "int_events" else settings.raw_database
    with warehouse.client() as client:
        client.command("SYSTEM FLUSH LOGS")
        rows = client.query(
            "SELECT count() FROM {db:Identifier}.{table:Identifier}",
            parameters={"db": settings.database if table == "int_events" else database, "table": table},
        ).first_row[0]
        queries = client.query(
            """
            SELECT
                extract(query, '"node_id": "([^"]+)"') AS node,
                read_rows,
                query
            FROM system.query_log
            WHERE
                type = 'QueryFinish'
                AND event_time_microseconds >= {began:DateTime64(6, 'UTC')}
                AND has(tables, {table:String})
                AND node != ''
            ORDER BY read_rows DESC
            """,
            parameters={"began": began, "table": f"{database}.{table}"},
        ).result_rows
    assert rows >= 0.9 * DAYS * EVENTS_PER_DAY
    assert queries, f"no query of the build read {table}: this test does not see what it looks for"
    most = LARGEST_SHARE * rows
    return [
        f"{node}: {read:,} rows, {of_table:,} of them of the {rows:,} of {table}: {query}"
        for node, read, query in queries
        if read > most and (of_table := _rows_read(warehouse, query, database, table, read)) > most
    ]


def _rows_read(warehouse: Warehouse, query: str, database: str, table: str, at_most: int) -> int:
    """How many rows of this one table a query reads: the log tells only the sum over all of its tables."""
    select = re.search(r"(?s)insert into [^(]+\([^)]*\)(.*)", query)
    if select is None:
        return at_most
    with warehouse.client() as client:
        rows = client.query(f"EXPLAIN ESTIMATE {select.group(1)}").result_rows
    return sum(row[3] for row in rows if (row[0], row[1]) == (database, table))


def test_a_build_with_nothing_to_do_is_quick_and_touches_nothing(night: Night) -> None:
    warehouse = night.warehouse
    night.builder.publish()
    before, began = _tables(warehouse), _now(warehouse)

    started = time.monotonic()
    result = footfall_of(warehouse)("build")
    seconds = time.monotonic() - started

    assert result.returncode == 0, result.stderr
    assert "Nothing to build" in result.stdout
    assert seconds < LONGEST_NOTHING_SECONDS
    assert _tables(warehouse) == before
    assert _parts_written_since(warehouse, began) == []


@dataclass
class Login:
    """What the build of one login read: the rows of each model and test, and of everything in it."""

    began: datetime
    user_id: str
    days: int
    rows: dict[str, int]

    @property
    def all_rows(self) -> int:
        """The rows that all statements read."""
        return sum(self.rows.values())


@pytest.fixture(scope="module")
def login_of_a_day(night: Night) -> Login:
    """An id that was there on one day turns out to be somebody."""
    return _login(night, "somebody of a day", "days_count = 1")


@pytest.fixture(scope="module")
def login_of_weeks(night: Night) -> Login:
    """The id that did most turns out to be somebody."""
    return _login(night, "somebody of weeks", "days_count > 1")


def _login(night: Night, user_id: str, whose: str) -> Login:
    warehouse = night.warehouse
    with warehouse.client(warehouse.settings.database) as client:
        tenant, anonymous_id, last, days = client.query(
            "SELECT tenant_id, user_id, toString(last_seen_at), days_count FROM users INNER JOIN"
            " (SELECT tenant_id, user_id, count() AS days_count FROM user_days GROUP BY ALL) AS days"
            " USING (tenant_id, user_id)"
            f" WHERE NOT is_identified AND {whose} ORDER BY events_count DESC, user_id LIMIT 1"
        ).first_row
    login = {
        "tenant_id": tenant, "event": "$identify", "distinct_id": user_id, "timestamp": last,
        "properties": {"$anon_distinct_id": anonymous_id},
    }  # fmt: skip
    night.builder.load(File("events", f"{user_id}.ndjson", [login]))
    began = _now(warehouse)
    night.builder.build(publish=False)
    assert all(result.success for result in run_suites(warehouse, warehouse.settings.next_database, read_suites()))
    rows = _rows_by_node(warehouse, began)
    night.builder.publish()
    with warehouse.client(warehouse.settings.database) as client:
        of_somebody = client.query(
            "SELECT uniqExact(user_id), any(user_id) FROM identities"
            " WHERE tenant_id = {tenant:String} AND distinct_id IN ({ids:Array(String)})",
            parameters={"tenant": tenant, "ids": [anonymous_id, user_id]},
        ).first_row
    assert of_somebody == (1, user_id)
    return Login(began, user_id, days, rows)


def _rows_by_node(warehouse: Warehouse, began: datetime) -> dict[str, int]:
    with warehouse.client() as client:
        client.command("SYSTEM FLUSH LOGS")
        rows = client.query(
            """
            SELECT coalesce(nullIf(extract(query, '"node_id": "([^"]+)"'), ''), 'expectations') AS node, sum(read_rows)
            FROM system.query_log
            WHERE
                type = 'QueryFinish'
                AND event_time_microseconds >= {began:DateTime64(6, 'UTC')}
                AND has(databases, {next:String})
            GROUP BY node
            """,
            parameters={"began": began, "next": warehouse.settings.next_database},
        ).result_rows
    return dict(rows)


@pytest.mark.slow
def test_a_login_that_moves_a_whole_history_reads_no_other_peoples(night: Night, login_of_weeks: Login) -> None:
    greedy = _greedy_queries(night.warehouse, login_of_weeks.began, "int_events")
    assert not greedy, "\n".join(greedy)


@pytest.mark.slow
def test_a_login_costs_what_its_person_did(night: Night, login_of_a_day: Login, login_of_weeks: Login) -> None:
    assert (login_of_a_day.days, login_of_weeks.days > 10) == (1, True)
    size = _rows_of_tables(night.warehouse)
    history = sum(size.values())
    assert login_of_a_day.all_rows < LARGEST_SHARE_OF_HISTORY * history
    assert login_of_a_day.all_rows < login_of_weeks.all_rows
    # Of the tables that grow with the history `users` is the smallest: who reads one of them whole, reads more.
    greedy = {
        node: rows
        for node, rows in login_of_a_day.rows.items()
        if rows >= (size["users"] if node not in READS_MORE else READS_MORE[node] * history)
    }
    assert not greedy, greedy
    # What is summed up by day is summed up again for that day alone.
    for node in ("model.footfall.session_stats_daily", "test.footfall.a_day_counts_its_sessions"):
        assert login_of_a_day.rows[node] < 0.1 * size["sessions"] < login_of_weeks.rows[node]
    # In the hours of weeks a person who was there under one id at a time is counted as before: nothing to sum up.
    for node in ("model.footfall.changed_event_hours", "model.footfall.events_hourly"):
        assert login_of_weeks.rows[node] < size["users"]


def _rows_of_tables(warehouse: Warehouse) -> dict[str, int]:
    """The history: the rows of each published table, and of the raw ones."""
    settings = warehouse.settings
    with warehouse.client() as client:
        rows = client.query(
            "SELECT if(database = {db:String}, name, concat('raw.', name)), total_rows FROM system.tables"
            " WHERE database IN ({db:String}, {raw:String}) AND total_rows IS NOT NULL",
            parameters={"db": settings.database, "raw": settings.raw_database},
        ).result_rows
    return dict(rows)


def _databases(warehouse: Warehouse) -> list[str]:
    settings = warehouse.settings
    return [settings.raw_database, settings.database, settings.next_database]


def _tables(warehouse: Warehouse) -> list[Any]:
    """Every table as an object: its identity, and when its definition last changed. But not the writer's lease."""
    with warehouse.client() as client:
        rows = client.query(
            "SELECT database, name, uuid, metadata_modification_time FROM system.tables"
            " WHERE database IN {databases:Array(String)} AND name != 'writer_lease' ORDER BY ALL",
            parameters={"databases": _databases(warehouse)},
        ).result_rows
    return list(rows)


def _parts_written_since(warehouse: Warehouse, moment: datetime) -> list[Any]:
    """Parts that a statement wrote, but for the writer's lease; merges are the server's own business."""
    with warehouse.client() as client:
        client.command("SYSTEM FLUSH LOGS")
        rows = client.query(
            "SELECT database, table, event_type, part_name FROM system.part_log"
            " WHERE database IN {databases:Array(String)} AND table != 'writer_lease'"
            " AND event_type IN ('NewPart', 'MutatePart')"
            " AND event_time_microseconds >= {moment:DateTime64(6, 'UTC')}",
            parameters={"databases": _databases(warehouse), "moment": moment},
        ).result_rows
    return list(rows)
