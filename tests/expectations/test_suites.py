"""The suites hold a build against what came before: of a usual night they say nothing, nor of a first build."""

from collections.abc import Mapping

import pytest

from expectations.runner import SuiteResult, read_suites, run_suites
from warehouse.connection import Warehouse

# Five weeks of a shop up to the 31st, on which the build before ended, and the build that brought the night to the 1st.
TABLES: Mapping[str, tuple[str, str]] = {
    "int_build_range": ("to_seq UInt64, rebuilt_models Array(String)", "SELECT 5, []"),
    "int_tenants": (
        "tenant_id String, last_event_date Date, _previous_last_event_date Date",
        "SELECT 't', '2026-02-01', '2026-01-31'",
    ),
    "session_stats_daily": (
        "tenant_id String, date Date, sessions_count UInt64, _build_seq UInt64",
        "SELECT 't', toDate('2026-02-01') - number, if(number = 0, 10, 200), if(number < 2, 5, 4) FROM numbers(35)",
    ),
    "events_hourly": (
        "tenant_id String, event String, date Date, hour UInt8, events_count UInt64, _build_seq UInt64",
        "SELECT 't', 'page', toDate('2026-02-01') - intDiv(number, 24), number % 24, 40, if(number < 48, 5, 4)"
        " FROM numbers(840)",
    ),
    "int_events": (
        "tenant_id String, event_id String, event_date Date, _build_seq UInt64",
        "SELECT 't', toString(number), toDate('2026-02-01') - intDiv(number, 960), if(number < 1000, 5, 4)"
        " FROM numbers(33600)",
    ),
    "sessions": (
        "tenant_id String, session_date Date, browser String, os String, device_type String, country String,"
        " utm_source String, entry_referrer String, entry_url String, is_identified UInt8, revenue Decimal(38, 6),"
        " _build_seq UInt64",
        "SELECT 't', toDate('2026-02-01') - intDiv(number, 200), 'Firefox', 'Linux', '', if(number % 2, 'PT', ''),"
        " '', '', 'https://shop.example/', number % 5 = 0, 0, if(number < 400, 5, 4) FROM numbers(7000)",
    ),
    "stg_loads": (
        "table_name String, rows_accepted UInt64, rows_rejected UInt64, was_live UInt8, change String",
        "SELECT 'events', 30000, 90, 1, '' UNION ALL SELECT 'events', 1000, 5, 0, 'added'",
    ),
    "identities": (
        "tenant_id String, distinct_id String, user_id String, _build_seq UInt64",
        "SELECT 't', toString(number), toString(number), if(number < 100, 5, 4) FROM numbers(10000)",
    ),
    "changed_identities": (
        "tenant_id String, old_user_id String, new_user_id String",
        "SELECT 't', toString(number), toString(number + 5000) FROM numbers(90)"
        " UNION ALL SELECT 't', '', toString(number + 20000) FROM numbers(900)",
    ),
}

AT_ONCE = {"mutations_sync": 1}


@pytest.fixture
def candidate(warehouse: Warehouse) -> str:
    """A candidate with these tables."""
    database = warehouse.settings.next_database
    with warehouse.client() as client:
        client.command("CREATE DATABASE {db:Identifier}", parameters={"db": database})
    with warehouse.client(database) as client:
        for table, (columns, rows) in TABLES.items():
            client.command(f"CREATE TABLE {table} ({columns}) ENGINE = MergeTree ORDER BY ()")
            client.command(f"INSERT INTO {table} {rows}")
    return database


def _said(warehouse: Warehouse, database: str, *, whole_tables: bool = False) -> dict[str, SuiteResult]:
    return {
        result.table: result for result in run_suites(warehouse, database, read_suites(), whole_tables=whole_tables)
    }


def _warnings(results: Mapping[str, SuiteResult]) -> list[str]:
    assert [result.failures for result in results.values() if result.failures] == []
    return [warning.partition(":")[0] for result in results.values() for warning in result.warnings]


def test_nothing_is_said_of_a_usual_night(warehouse: Warehouse, candidate: str) -> None:
    results = _said(warehouse, candidate)
    assert set(results) == {suite.table for suite in read_suites()}
    assert _warnings(results) == []
    assert _warnings(_said(warehouse, candidate, whole_tables=True)) == []


@pytest.mark.parametrize(
    ("sentence", "night"),
    [
        (
            "a day has about as many sessions as its weekday had before",
            "ALTER TABLE session_stats_daily UPDATE sessions_count = 60 WHERE date = '2026-01-31'",
        ),
        (
            "a day has about as many sessions as its weekday had before",
            "ALTER TABLE session_stats_daily DELETE WHERE date = '2026-01-31'",
        ),
        (
            "a day has about as many events as its weekday had before",
            "ALTER TABLE events_hourly UPDATE events_count = 400 WHERE date = '2026-01-31'",
        ),
        (
            "few event names are new",
            "INSERT INTO events_hourly SELECT 't', 'order_' || number, '2026-02-01', 1, 1, 5 FROM numbers(11)",
        ),
        (
            "late events add little to a day that was over",
            "INSERT INTO int_events SELECT 't', 'late' || number, '2026-01-20', 5 FROM numbers(200)",
        ),
        (
            "what sessions used to carry they still carry",
            "ALTER TABLE sessions UPDATE country = '' WHERE session_date = '2026-01-31'",
        ),
        (
            "new loads reject no more of their rows than usual",
            "INSERT INTO stg_loads SELECT 'events', 500, 40, 0, 'added'",
        ),
        (
            "few of the known ids change their person in one build",
            "INSERT INTO changed_identities SELECT 't', toString(number), toString(number + 1) FROM numbers(600)",
        ),
        (
            "no build makes one person of a hundred people",
            "INSERT INTO changed_identities SELECT 't', toString(number), 'guest' FROM numbers(100)",
        ),
    ],
)  # fmt: skip
def test_an_unusual_night_is_told_and_stops_nothing(
    warehouse: Warehouse, candidate: str, sentence: str, night: str
) -> None:
    with warehouse.client(candidate) as client:
        client.command(night, settings=AT_ONCE)
    assert _warnings(_said(warehouse, candidate)) == [sentence]


def test_a_first_build_has_no_history_to_differ_from(warehouse: Warehouse, candidate: str) -> None:
    with warehouse.client(candidate) as client:
        client.command("ALTER TABLE int_tenants UPDATE _previous_last_event_date = 0 WHERE 1", settings=AT_ONCE)
        client.command("TRUNCATE TABLE changed_identities")
        client.command(
            "INSERT INTO events_hourly SELECT 't', 'order_' || number, '2026-02-01', 1, 1, 5 FROM numbers(99)"
        )
    assert _warnings(_said(warehouse, candidate)) == []


def test_a_table_that_is_rebuilt_alone_is_no_news(warehouse: Warehouse, candidate: str) -> None:
    tables = ["events_hourly", "int_events"]
    with warehouse.client(candidate) as client:
        client.command("INSERT INTO events_hourly SELECT 't', 'n' || number, '2026-01-31', 1, 1, 4 FROM numbers(99)")
        for table in tables:
            client.command(f"ALTER TABLE {table} UPDATE _build_seq = 5 WHERE 1", settings=AT_ONCE)
        client.command(f"ALTER TABLE int_build_range UPDATE rebuilt_models = {tables} WHERE 1", settings=AT_ONCE)
    assert _warnings(_said(warehouse, candidate)) == []
