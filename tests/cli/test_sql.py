"""`footfall sql`."""

import pytest

from tests.cli.conftest import Footfall
from warehouse.connection import Warehouse
from warehouse.lock import exclusive


def test_a_readable_table_by_default_on_a_warehouse_that_is_still_empty(footfall: Footfall) -> None:
    result = footfall("sql", "SELECT 1 AS one, 'a' AS two;")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == ["┌─one─┬─two─┐", "│   1 │ a   │", "└─────┴─────┘"]


def test_any_format_by_option_or_in_the_query_itself(footfall: Footfall) -> None:
    assert footfall("sql", "SELECT 1 AS one", "--format", "JSONEachRow").stdout == '{"one":1}\n'
    assert footfall("sql", "SELECT 1 AS one FORMAT CSVWithNames", "--format", "TSV").stdout == '"one"\n1\n'


def test_the_published_database_is_the_default(footfall: Footfall, warehouse: Warehouse) -> None:
    assert footfall("sql", "SELECT currentDatabase() FORMAT TSV").stdout == f"{warehouse.settings.database}\n"


def test_bad_sql_ends_with_1_and_the_servers_first_line(footfall: Footfall) -> None:
    result = footfall("sql", "SELEC 1")
    assert result.returncode == 1
    assert result.stderr.startswith("Error: Code: 62. DB::Exception: Syntax error")
    assert "version" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_two_statements_are_refused(footfall: Footfall) -> None:
    result = footfall("sql", "SELECT 1; SELECT 2")
    assert result.returncode == 1
    assert "Multi-statements are not allowed" in result.stderr


def test_a_query_that_breaks_half_way_ends_with_1(footfall: Footfall) -> None:
    result = footfall("sql", "SELECT throwIf(number = 5000000) FROM numbers(10000000) FORMAT TSV")
    assert result.returncode == 1
    assert "Error: " in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE notes (id UInt64) ENGINE = MergeTree ORDER BY id",
        "INSERT INTO notes VALUES (1)",
        "ALTER TABLE notes DELETE WHERE 1",
        "DROP TABLE notes",
        "DROP DATABASE analytics",
        "INSERT INTO FUNCTION file('x.csv') SELECT 1",
        "kill query WHERE 1",
        "SELECT 1 SETTINGS readonly = 0",
    ],
)
def test_it_only_reads(footfall: Footfall, warehouse: Warehouse, statement: str) -> None:
    with warehouse.client() as client:
        client.command("CREATE DATABASE IF NOT EXISTS analytics")
        client.command("CREATE TABLE IF NOT EXISTS analytics.notes (id UInt64) ENGINE = MergeTree ORDER BY id")
    result = footfall("sql", statement)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: This statement writes, and footfall sql only reads.\nWith --write")
    with warehouse.client() as client:
        assert client.query("SELECT count() FROM analytics.notes").first_row == (0,)


def test_reading_takes_settings_of_its_own(footfall: Footfall) -> None:
    result = footfall("sql", "SELECT getSetting('max_threads') FORMAT TSV SETTINGS max_threads = 1")
    assert (result.stdout, result.returncode) == ("1\n", 0)
    assert footfall("sql", "EXPLAIN SELECT 1").returncode == 0
    assert footfall("sql", "SHOW DATABASES").returncode == 0


def test_with_write_it_writes_when_nobody_else_does(footfall: Footfall, warehouse: Warehouse) -> None:
    assert (
        footfall("sql", "CREATE TABLE notes ENGINE = MergeTree ORDER BY () AS SELECT 1 AS id", "--write").returncode
        == 0
    )
    assert footfall("sql", "SELECT id FROM notes FORMAT TSV").stdout == "1\n"
    with exclusive(warehouse, "a long load"):
        refused = footfall("sql", "DROP TABLE notes", "--write")
        assert refused.returncode == 1
        assert "a long load" in refused.stderr
        assert footfall("sql", "SELECT id FROM notes FORMAT TSV").stdout == "1\n"
