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
    assert [doubt.partition(":")[0] for doubt in checked.warnings] == ["few ids"]


def test_a_warning_alone_is_a_success(warehouse: Warehouse, sessions: str) -> None:
    suite = Suite(
        "sessions", (expectation(*ENDS_LATER, severity="warning", column_A="ended", column_B="started", or_equal=True),)
    )
    (result,) = run_suites(warehouse, sessions, [suite])
    assert result.success
    assert len(result.warnings) == 1


def test_every_suite_of_the_project_says_why() -> None:
    suites = read_suites()
    assert {suite.table for suite in suites} >= {"sessions", "users", "retention", "attribution_credit"}
    for suite in suites:
        for entry in suite.expectations:
            assert set(entry) <= {"type", "why", "severity", "kwargs"}
            assert entry["why"]
            assert entry.get("severity", "critical") in {"critical", "warning"}
