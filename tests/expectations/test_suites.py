"""The suites that compare tables find the row that a build should have written, or deleted, and did not."""

from collections.abc import Sequence
from typing import Any

import pytest

from expectations.runner import SuiteResult, read_suites, run_suites
from warehouse.connection import Warehouse

# What the suites read of each table, and two builds that went well: the second wrote the rows of 5.
TABLES: dict[str, tuple[str, list[tuple[object, ...]]]] = {
    "int_build_range": ("from_seq UInt64, to_seq UInt64, rebuilt_models Array(String)", [(4, 5, [])]),
    "sessions": (
        "tenant_id String, session_id String, session_key String, session_start DateTime64(6, 'UTC'),"
        " session_end DateTime64(6, 'UTC'), session_date Date, events_count UInt64, pageviews_count UInt64,"
        " revenue Decimal(38, 6), _build_seq UInt64",
        [
            ("t", "old", "k", "2026-01-01 10:00:00", "2026-01-01 11:00:00", "2026-01-01", 3, 1, 1, 4),
            ("t", "new", "k", "2026-01-01 12:00:00", "2026-01-01 13:00:00", "2026-01-01", 2, 1, 2, 5),
            ("t", "far", "k", "2026-02-01 12:00:00", "2026-02-01 13:00:00", "2026-02-01", 2, 1, 2, 4),
        ],
    ),
    "session_stats_daily": (
        "tenant_id String, date Date, sessions_count UInt64, identified_sessions_count UInt64, users_count UInt64,"
        " new_users_count UInt64, bounce_rate Float64, revenue Decimal(38, 6), _build_seq UInt64",
        [("t", "2026-01-01", 2, 1, 1, 1, 0.5, 3, 5), ("t", "2026-02-01", 1, 1, 1, 0, 0.5, 2, 4)],
    ),
    "users": (
        "tenant_id String, user_id String, events_count UInt64, pageviews_count UInt64, sessions_count UInt64,"
        " first_seen_at DateTime64(6, 'UTC'), last_seen_at DateTime64(6, 'UTC'), _build_seq UInt64",
        [("t", "u", 7, 3, 3, "2026-01-01 10:00:00", "2026-02-01 13:00:00", 5)],
    ),
    "user_days": (
        "tenant_id String, user_id String, date Date, events_count UInt64, _build_seq UInt64",
        [("t", "u", "2026-01-01", 5, 5), ("t", "u", "2026-02-01", 2, 4)],
    ),
    "user_attribution": (
        "tenant_id String, user_id String, sessions_count UInt64, _build_seq UInt64",
        [("t", "u", 3, 5)],
    ),
    "attribution_credit": (
        "tenant_id String, user_id String, conversion_at DateTime64(6, 'UTC'), conversion_event_id String,"
        " model String, session_id String, credit Float64, _build_seq UInt64",
        [
            ("t", "u", "2026-01-01 12:30:00", "e", "linear", "old", 0.5, 5),
            ("t", "u", "2026-01-01 12:30:00", "e", "linear", "new", 0.5, 5),
        ],
    ),
}  # fmt: skip


@pytest.fixture
def candidate(warehouse: Warehouse) -> str:
    """A candidate with small tables of both builds."""
    database = warehouse.settings.next_database
    with warehouse.client() as client:
        client.command("CREATE DATABASE {db:Identifier}", parameters={"db": database})
    with warehouse.client(database) as client:
        for table, (columns, rows) in TABLES.items():
            client.command(f"CREATE TABLE {table} ({columns}) ENGINE = MergeTree ORDER BY ()")
            _insert(client, table, rows)
    return database


def _insert(client: Any, table: str, rows: Sequence[tuple[object, ...]]) -> None:
    values = ", ".join(str(row) for row in rows)
    client.command(f"INSERT INTO {table} VALUES {values}")


def _results(warehouse: Warehouse, database: str) -> dict[str, SuiteResult]:
    suites = [suite for suite in read_suites() if suite.table in TABLES]
    return {result.table: result for result in run_suites(warehouse, database, suites)}


def test_two_builds_that_went_well_hold(warehouse: Warehouse, candidate: str) -> None:
    assert {table: result.failures for table, result in _results(warehouse, candidate).items()} == {
        table: () for table in TABLES if table != "int_build_range"
    }


@pytest.mark.parametrize(
    ("suite", "sentence", "mistake"),
    [
        (
            "session_stats_daily", "a day counts all sessions",
            "DELETE FROM session_stats_daily WHERE date = '2026-01-01'",
        ),
        (
            "session_stats_daily", "a day counts all sessions",
            "INSERT INTO sessions VALUES ('t', 'x', 'x', '2026-02-01', '2026-02-01', '2026-02-01', 1, 1, 0, 5)",
        ),
        (
            "session_stats_daily", "a day counts all sessions",
            "ALTER TABLE session_stats_daily UPDATE revenue = 4 WHERE date = '2026-01-01' SETTINGS mutations_sync = 1",
        ),
        (
            "sessions", "the sessions of one session key do not overlap",
            "ALTER TABLE sessions UPDATE session_end = '2026-01-01 12:30:00' WHERE session_id = 'old'"
            " SETTINGS mutations_sync = 1",
        ),
        ("user_attribution", "everyone has an attribution", "TRUNCATE TABLE user_attribution"),
        (
            "user_attribution", "everyone has an attribution",
            "ALTER TABLE user_attribution UPDATE sessions_count = 2 WHERE 1 SETTINGS mutations_sync = 1",
        ),
        ("user_days", "people's days add up", "DELETE FROM user_days WHERE date = '2026-02-01'"),
        ("user_days", "people's days add up", "INSERT INTO user_days VALUES ('t', 'unheard of', '2026-01-01', 1, 5)"),
        (
            "attribution_credit", "the credits of one model add up",
            "INSERT INTO attribution_credit VALUES ('t', 'u', '2026-01-01 12:30:00', 'e', 'linear', 'gone', 0.5, 4)",
        ),
    ],
)  # fmt: skip
def test_a_suite_finds_the_row_that_is_wrong(
    warehouse: Warehouse, candidate: str, suite: str, sentence: str, mistake: str
) -> None:
    with warehouse.client(candidate) as client:
        client.command(mistake)
    result = _results(warehouse, candidate)[suite]
    assert [failure[: len(sentence)] for failure in result.failures] == [sentence]
    assert "does not hold (observed value 1)" in result.failures[0]
