"""Great Expectations suites over tables of a real warehouse."""

import pytest

from expectations.runner import Suite, read_suites, run_suites
from warehouse.connection import Warehouse


@pytest.fixture
def sessions(warehouse: Warehouse) -> str:
    """A database with a table of three sessions, the last of which ends before it starts."""
    database = warehouse.settings.next_database
    with warehouse.client() as client:
        client.command("CREATE DATABASE {db:Identifier}", parameters={"db": database})
    with warehouse.client(database) as client:
        client.command("CREATE TABLE sessions (id UInt32, started UInt32, ended UInt32) ENGINE = MergeTree ORDER BY id")
        client.insert("sessions", [[1, 10, 20], [2, 20, 20], [3, 30, 20]])
    return database


def expectation(kind: str, why: str, severity: str = "critical", **arguments: object) -> dict[str, object]:
    return {"type": kind, "why": why, "severity": severity, "kwargs": arguments}


ENDS_LATER = ("expect_column_pair_values_a_to_be_greater_than_b", "it ends after it starts")


def test_each_failure_is_a_sentence_with_its_reason_and_all_suites_run(warehouse: Warehouse, sessions: str) -> None:
    suites = [
        Suite("missing", (expectation("expect_column_values_to_be_between", "ids are small", column="id"),)),
        Suite(
            "sessions",
            (
                expectation("expect_column_values_to_be_between", "ids start at 1", column="id", min_value=1),
                expectation(*ENDS_LATER, column_A="ended", column_B="started", or_equal=True),
                expectation("expect_column_values_to_be_between", "there is a price", column="price", min_value=0),
                expectation(
                    "unexpected_rows_expectation",
                    "few ids",
                    severity="warning",
                    unexpected_rows_query="SELECT * FROM {batch} WHERE id > 1",
                ),
            ),
        ),
    ]
    missing, checked = run_suites(warehouse, sessions, suites)
    assert not missing.success
    assert "missing" in missing.failures[0]
    assert not checked.success
    assert checked.passed == 1
    assert [failure.partition(":")[0] for failure in checked.failures] == [
        "it ends after it starts",
        "there is a price",
    ]
    assert "unexpected count 1" in checked.failures[0]
    assert "could not be checked" in checked.failures[1]
    assert [warning.partition(":")[0] for warning in checked.warnings] == ["few ids"]


def test_a_warning_alone_is_a_success(warehouse: Warehouse, sessions: str) -> None:
    suite = Suite(
        "sessions", (expectation(*ENDS_LATER, severity="warning", column_A="ended", column_B="started", or_equal=True),)
    )
    (result,) = run_suites(warehouse, sessions, [suite])
    assert result.success
    assert len(result.warnings) == 1


def test_every_suite_of_the_project_says_why() -> None:
    suites = read_suites()
    assert {suite.table for suite in suites} >= {"sessions", "events_hourly", "identities", "stg_loads"}
    for suite in suites:
        for entry in suite.expectations:
            assert set(entry) <= {"type", "why", "severity", "kwargs"}
            assert entry["why"]
            assert entry.get("severity", "critical") in {"critical", "warning"}


@pytest.fixture
def two_builds(warehouse: Warehouse, sessions: str) -> str:
    """The same table after a build of many sessions that ended too early, and one of the last two, which did not."""
    with warehouse.client(sessions) as client:
        client.command("CREATE TABLE int_build_range ENGINE = MergeTree ORDER BY () AS SELECT toUInt64(5) AS to_seq")
        client.command("DROP TABLE sessions SYNC")
        client.command(
            "CREATE TABLE sessions (id UInt32, started UInt32, ended UInt32, _build_seq UInt64,"
            " INDEX build_seq_range _build_seq TYPE minmax) ENGINE = MergeTree ORDER BY id"
        )
        client.command("INSERT INTO sessions SELECT number, 20, 10, 4 FROM numbers(100000)")
        client.insert("sessions", [[100000, 10, 20, 5], [100001, 10, 30, 5]])
    return sessions


EVERY_WAY_TO_LOOK = Suite(
    "sessions",
    (
        expectation(*ENDS_LATER, column_A="ended", column_B="started", or_equal=True),
        expectation("expect_column_values_to_be_between", "ids are new", column="id", min_value=100000),
        expectation("expect_column_values_to_not_be_null", "it has an id", column="id"),
        expectation(
            "unexpected_rows_expectation",
            "none is short",
            unexpected_rows_query="SELECT * FROM {batch} WHERE ended < started + 10",
        ),
    ),
)


def test_a_suite_looks_at_the_rows_of_this_build_alone(warehouse: Warehouse, two_builds: str) -> None:
    (result,) = run_suites(warehouse, two_builds, [EVERY_WAY_TO_LOOK])
    assert (result.passed, result.failures) == (4, ())
    with warehouse.client(two_builds) as client:
        client.command("INSERT INTO sessions VALUES (7, 20, 10, 5)")
    (result,) = run_suites(warehouse, two_builds, [EVERY_WAY_TO_LOOK])
    assert [failure.partition(":")[0] for failure in result.failures] == [
        "it ends after it starts", "ids are new", "none is short",
    ]  # fmt: skip
    assert all("1)" in failure for failure in result.failures), result.failures


def test_a_suite_reads_neither_older_rows_nor_fetches_its_batch(warehouse: Warehouse, two_builds: str) -> None:
    with warehouse.client(two_builds) as client:
        client.command("INSERT INTO sessions SELECT number + 200000, 10, 20, 5 FROM numbers(3000)")
        began = client.query("SELECT now64(6, 'UTC')").first_row[0]
    (result,) = run_suites(warehouse, two_builds, [EVERY_WAY_TO_LOOK])
    assert result.passed == 4
    with warehouse.client() as client:
        client.command("SYSTEM FLUSH LOGS")
        queries = client.query(
            "SELECT read_rows, result_rows, query FROM system.query_log WHERE type = 'QueryFinish'"
            " AND current_database = {db:String} AND has(tables, {table:String}) AND query_kind = 'Select'"
            " AND query_start_time_microseconds >= {began:DateTime64(6, 'UTC')}",
            parameters={"db": two_builds, "table": f"{two_builds}.sessions", "began": began},
        ).result_rows
    assert len(queries) > 4
    assert len([query for query in queries if "started + 10" in query[2]]) == 1, "its rows are counted, not fetched"
    # the granule in which the rows of this build begin is read as a whole
    assert not [query for query in queries if query[0] > 3000 + 8192 or query[1] > 20]


def test_where_this_build_wrote_nothing_all_holds(warehouse: Warehouse, two_builds: str) -> None:
    with warehouse.client(two_builds) as client:
        client.command("ALTER TABLE int_build_range UPDATE to_seq = 6 WHERE 1 SETTINGS mutations_sync = 1")
    (result,) = run_suites(warehouse, two_builds, [EVERY_WAY_TO_LOOK])
    assert (result.passed, result.failures) == (4, ())
