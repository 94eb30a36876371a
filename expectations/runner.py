"""Runs Great Expectations suites over a database and says what failed. Knows no Dagster.

A suite is a file of `suites/`, named after the table it is about, in Great Expectations' own terms. Its batch is what
this build wrote of the table, so that checking costs what changed. Great Expectations takes seconds to import, so it
is imported only when suites are run, and all suites share one context.
"""

import gc
import os
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from warehouse.connection import Warehouse

SUITES = Path(__file__).parent / "suites"


@dataclass(frozen=True)
class Suite:
    """What is expected of one table: dicts with `type`, `kwargs`, `severity` ('critical' or 'warning') and `why`."""

    table: str
    expectations: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Outcome:
    """What came of one expectation: the entry of the suite, whether it holds, and if not, a sentence that says so.

    `expected` and `observed` are in words, and empty if there is nothing to say. If it is about rows, `rows` is how
    many are not as expected, and `sql` finds them.
    """

    entry: Mapping[str, Any]
    passed: bool
    sentence: str = ""
    expected: str = ""
    observed: str = ""
    rows: int | None = None
    sql: str = ""

    @property
    def is_warning(self) -> bool:
        """Whether it stops nothing if it does not hold."""
        return self.entry.get("severity") == "warning"


@dataclass(frozen=True)
class SuiteResult:
    """What came of one suite, in the suite's order."""

    table: str
    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> int:
        """How many expectations hold."""
        return sum(outcome.passed for outcome in self.outcomes)

    @property
    def failures(self) -> tuple[str, ...]:
        """A sentence for each critical expectation that does not hold."""
        return tuple(each.sentence for each in self.outcomes if not each.passed and not each.is_warning)

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for each other one that does not hold."""
        return tuple(each.sentence for each in self.outcomes if not each.passed and each.is_warning)

    @property
    def success(self) -> bool:
        """Whether nothing critical failed."""
        return not self.failures


def read_suites(*more: Path) -> list[Suite]:
    """The suites of this package, one per YAML file, by table name; a file in one of the folders takes its place."""
    files = {file.stem: file for folder in (SUITES, *more) for file in folder.glob("*.yml")}
    return [
        Suite(table, tuple(yaml.safe_load(file.read_text(encoding="utf-8"))["expectations"]))
        for table, file in sorted(files.items())
    ]


def import_in_background() -> None:
    """Start importing Great Expectations in a thread, for a caller that waits for something else meanwhile."""
    _quiet()
    threading.Thread(target=_import, daemon=True).start()


def run_suites(
    warehouse: Warehouse, database: str, suites: Sequence[Suite], *, whole_tables: bool = False
) -> Iterator[SuiteResult]:
    """Run the suites over the tables of a database, in one context, and yield a result for each.

    The batch (`{batch}` in SQL) is the rows that the last build of this database wrote, if they tell (`_build_seq`),
    else, or with `whole_tables`, the whole table. What is said of rows holds of an empty batch. A table that is not
    there fails its suite.
    """
    _quiet()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx
        from sqlalchemy import URL

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = gx.data_context.types.base.ProgressBarsConfig(globally=False)
        url = URL.create(
            "clickhousedb",
            username=warehouse.user,
            password=warehouse.password.get_secret_value(),
            host=warehouse.host,
            port=warehouse.port,
            database=database,
            query={"secure": "true"} if warehouse.secure else {},
        )
        source = context.data_sources.add_sql("candidate", connection_string=url.render_as_string(hide_password=False))
        tell = set() if whole_tables else _tables_that_tell_builds_apart(warehouse, database)
        for suite in suites:
            yield _run(gx, source, suite, of_this_build=suite.table in tell)


def _import() -> None:
    gc.disable()  # nearly all that an import makes stays: looking for garbage among it takes a quarter of the time
    import_module("great_expectations")
    gc.enable()


def _quiet() -> None:
    # Great Expectations reads this once, at import.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"


def _tables_that_tell_builds_apart(warehouse: Warehouse, database: str) -> set[str]:
    with warehouse.client() as client:
        rows = client.query(
            "SELECT table FROM system.columns WHERE database = {db:String} AND name = '_build_seq'",
            parameters={"db": database},
        ).result_rows
    return {table for (table,) in rows}


def _rows_of_this_build(table: str) -> str:
    import sqlalchemy as sa

    to_seq = sa.select(sa.column("to_seq")).select_from(sa.table("int_build_range")).scalar_subquery()
    return str(sa.select(sa.text("*")).select_from(sa.table(table)).where(sa.column("_build_seq") >= to_seq))


def _ask_for_columns_only(engine: Any, query: str) -> None:
    # Great Expectations learns the columns of a query by running it, and would fetch the whole batch for it.
    import sqlalchemy as sa

    @sa.event.listens_for(engine, "before_cursor_execute", retval=True)
    def without_rows(
        connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> tuple[str, Any]:
        return f"{statement} LIMIT 0" if statement == query else statement, parameters


def _run(gx: Any, source: Any, suite: Suite, *, of_this_build: bool) -> SuiteResult:
    rows = f"({_rows_of_this_build(suite.table)})" if of_this_build else suite.table
    try:
        if of_this_build:
            query = _rows_of_this_build(suite.table)
            _ask_for_columns_only(source.get_execution_engine().engine, query)
            asset = source.add_query_asset(suite.table, query=query)
        else:
            asset = source.add_table_asset(suite.table, table_name=suite.table)
        batch = asset.add_batch_definition_whole_table("all").get_batch()
    except Exception as error:
        sentence = f"the table cannot be read: {str(error).splitlines()[0]}"
        return SuiteResult(suite.table, tuple(Outcome(entry, False, sentence) for entry in suite.expectations))
    # Results come back in an order of their own: each expectation carries its place in the suite.
    expectations = [
        _expectation_class(gx, entry["type"])(**entry.get("kwargs", {}), meta={"place": place})
        for place, entry in enumerate(suite.expectations)
    ]
    validation = batch.validate(
        gx.ExpectationSuite(name=suite.table, expectations=expectations),
        result_format={"result_format": "BASIC", "partial_unexpected_count": 0},
    )
    results = sorted(validation.results, key=lambda result: result.expectation_config.meta["place"])
    outcomes = (_outcome(entry, result, rows) for entry, result in zip(suite.expectations, results, strict=True))
    return SuiteResult(suite.table, tuple(outcomes))


def _outcome(entry: dict[str, Any], result: Any, rows: str) -> Outcome:
    found = result.result or {}
    about_rows = entry["type"] == "unexpected_rows_expectation"
    unexpected = found.get("observed_value" if about_rows else "unexpected_count")
    condition = _condition(entry)
    if about_rows:
        sql = str(entry["kwargs"]["unexpected_rows_query"]).replace("{batch}", rows)
    else:
        sql = f"SELECT * FROM {rows} WHERE NOT ({condition})" if condition else ""  # noqa: S608 - our own suite
    return Outcome(
        entry=entry,
        passed=bool(result.success),
        sentence="" if result.success else _sentence(entry, result),
        expected="no row is found" if about_rows else condition or _terms(entry),
        observed=str(found.get("observed_value", "")) if unexpected is None else f"{unexpected} unexpected rows",
        rows=None if unexpected is None else int(unexpected),
        sql=sql,
    )


def _condition(entry: dict[str, Any]) -> str:
    """What holds of every row, as SQL; '' for what is not about single rows."""
    given = entry.get("kwargs", {})
    if entry["type"] == "expect_column_values_to_be_between":
        limits = (("min_value", ">="), ("max_value", "<="))
        return " AND ".join(
            f"{given['column']} {sign} {given[limit]!r}" for limit, sign in limits if given.get(limit) is not None
        )
    if entry["type"] == "expect_column_pair_values_a_to_be_greater_than_b":
        return f"{given['column_A']} {'>=' if given.get('or_equal') else '>'} {given['column_B']}"
    return ""


def _terms(entry: dict[str, Any]) -> str:
    """The expectation's own terms, in words: `table row count to be between: min value 1`."""
    terms = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in entry.get("kwargs", {}).items())
    kind = entry["type"].removeprefix("expect_").replace("_", " ")
    return f"{kind}: {terms}" if terms else kind


def _expectation_class(gx: Any, expectation_type: str) -> Any:
    if expectation_type == "unexpected_rows_expectation":
        from expectations.unexpected_rows import UnexpectedRowsCount

        return UnexpectedRowsCount
    return getattr(gx.expectations, "".join(word.capitalize() for word in expectation_type.split("_")))


def _sentence(entry: dict[str, Any], result: Any) -> str:
    exception = next(
        (
            info["exception_message"]
            for info in _exceptions(result.exception_info)
            if info.get("raised_exception") and info.get("exception_message")
        ),
        None,
    )
    if exception:
        return f"{entry['why']}: could not be checked: {exception.strip().splitlines()[0]}"
    found = result.result or {}
    details = [
        f"{key.replace('_', ' ')} {found[key]}"
        for key in ("observed_value", "unexpected_count")
        if found.get(key) is not None
    ]
    return f"{entry['why']}: does not hold ({', '.join(details)})" if details else f"{entry['why']}: does not hold"


def _exceptions(info: dict[str, Any]) -> list[dict[str, Any]]:
    return [info] if "raised_exception" in info else [value for value in info.values() if isinstance(value, dict)]
