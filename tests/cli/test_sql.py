"""`footfall sql`."""

from tests.cli.conftest import Footfall
from warehouse.connection import Warehouse


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
