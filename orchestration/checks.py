"""The checks of the tables: one per dbt test, one per expectation; and what a failed one shows."""

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import dagster as dg
from clickhouse_connect.driver.exceptions import ClickHouseError

from expectations.runner import Suite, SuiteResult, read_suites
from orchestration.dbt_run import NodeResult
from orchestration.model_assets import MANIFEST, MODEL_SPECS, PROJECT, TRANSLATOR
from orchestration.project import project_dir
from warehouse.connection import Warehouse
from warehouse.publishing import UNPUBLISHED

_SHOWN_ROWS = 10
_SECONDS = 60  # of the server's time for those rows; the statement is shown with them
# A failed check shows numbers, dates and what is listed here; any other column may say who somebody is, and is shown
# as a hash that means nothing outside its table. A model's YAML adds a column by `meta: {shown_in_checks: true}`.
_SHOWN_TYPE = re.compile(r"(Nullable\()?(U?Int|Date|Bool|Enum|Decimal)")
_SHOWN_COLUMNS = frozenset({
    "tenant_id", "event", "channel", "model", "mode", "kind", "period", "reason", "status", "table", "funnel_id",
    "retention_id", "step_name", "credit", "credits", "bounce_rate", "conversion_from_first",
})  # fmt: skip

_HASH = "lower(hex(sipHash64Keyed(({{key:UInt64}}, {{key:UInt64}}), toString(`{}`))))"
# What is named so exists where a build works, and is never published.
_ONLY_IN_BUILDS = re.compile(rf"\b({'|'.join(UNPUBLISHED)})")

Evaluation = dg.AssetCheckEvaluation


def latest(instance: dg.DagsterInstance, keys: Iterable[dg.AssetCheckKey]) -> Iterator[Evaluation]:
    """The last result of each of these checks, if it has one."""
    for key in keys:
        # Runs that did not come to the check are in its history, too.
        for record in instance.event_log_storage.get_asset_check_execution_history(key, limit=20):
            found = record.evaluation
            if isinstance(found, Evaluation):
                # Without its target: that is the materialization before its own build's, and this is of what is read.
                yield Evaluation(
                    asset_key=found.asset_key,
                    check_name=found.check_name,
                    passed=found.passed,
                    metadata=found.metadata,
                    severity=found.severity,
                    description=found.description,
                )
                break


def _slug(sentence: str) -> str:
    return re.sub(r"\W+", "_", sentence.lower()).strip("_")


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."


def _asserted(node: Mapping[str, Any]) -> str:
    """What a dbt test says, as a sentence: its description, else its name."""
    description = " ".join((node.get("description") or "").split())
    return description or _sentence(node["name"].replace("_", " "))


def _consequence(stops: bool) -> str:
    return "A failure stops the publication." if stops else "A failure is a warning and stops nothing."


def _dbt_checks() -> dict[str, dg.AssetCheckSpec]:
    """The check of every dbt test of a table, by the test's dbt id."""
    checks = {}
    for unique_id, node in MANIFEST["nodes"].items():
        if node["resource_type"] != "test":
            continue
        for parent in node["depends_on"]["nodes"]:
            if parent not in MODEL_SPECS:
                continue
            spec = TRANSLATOR.get_asset_check_spec(MODEL_SPECS[parent], MANIFEST, unique_id, PROJECT)
            if spec is not None:
                stops = str(node["config"].get("severity") or "error").lower() == "error"
                description = f"{_asserted(node)} {_consequence(stops)}"
                checks[unique_id] = dg.AssetCheckSpec(
                    name=spec.name, asset=spec.asset_key, description=description, blocking=stops
                )
    return checks


DBT_CHECKS = _dbt_checks()

_KEYS = {spec.key.path[-1]: spec.key for spec in MODEL_SPECS.values()}
# A suite for a table that the project does not have (a project of one's own) has nothing to say.
SUITES = [suite for suite in read_suites(project_dir() / "expectations") if suite.table in _KEYS]


def _expectation_check(table: str, entry: Mapping[str, Any]) -> dg.AssetCheckSpec:
    stops = entry.get("severity") != "warning"
    description = f"{_sentence(entry['why'])} {_consequence(stops)}"
    return dg.AssetCheckSpec(name=_slug(entry["why"]), asset=_KEYS[table], description=description, blocking=stops)


EXPECTATION_CHECKS = {
    (suite.table, entry["why"]): _expectation_check(suite.table, entry)
    for suite in SUITES
    for entry in suite.expectations
}

CHECK_SPECS = [*DBT_CHECKS.values(), *EXPECTATION_CHECKS.values()]


def that_ran(results: Iterable[NodeResult]) -> set[dg.AssetCheckKey]:
    """The checks of the dbt tests that ran."""
    return {DBT_CHECKS[result.unique_id].key for result in results if result.ran and result.unique_id in DBT_CHECKS}


def published_tests(wanted: Iterable[dg.AssetCheckKey]) -> list[str]:
    """The names of the wanted dbt tests that can be run on the published tables: those that read nothing else."""
    keys = set(wanted)
    nodes = MANIFEST["nodes"]
    return [
        nodes[unique_id]["name"]
        for unique_id, spec in DBT_CHECKS.items()
        if spec.key in keys
        and not any(
            nodes[parent]["alias"].startswith(UNPUBLISHED)
            for parent in nodes[unique_id]["depends_on"]["nodes"]
            if parent in nodes
        )
    ]


def wanted_suites(wanted: Iterable[dg.AssetCheckKey]) -> list[Suite]:
    """The suites with those of the wanted expectations that can be run on the published tables."""
    keys = set(wanted)
    suites = (
        Suite(
            suite.table,
            tuple(
                entry
                for entry in suite.expectations
                if EXPECTATION_CHECKS[suite.table, entry["why"]].key in keys and not _ONLY_IN_BUILDS.search(str(entry))
            ),
        )
        for suite in SUITES
        if not suite.table.startswith(UNPUBLISHED)
    )
    return [suite for suite in suites if suite.expectations]


def of_dbt(warehouse: Warehouse, database: str, results: Iterable[NodeResult]) -> Iterator[Evaluation]:
    """What came of dbt's tests in that database; of one that did not run there is nothing to say."""
    for result in results:
        spec = DBT_CHECKS.get(result.unique_id)
        if spec is None or not result.ran:
            continue
        metadata: dict[str, Any] = {"rows found": result.rows, "seconds": round(result.seconds, 3)}
        if result.status == "pass":
            yield _evaluation(spec, True, metadata)
            continue
        metadata["message"] = result.sentence
        if result.status != "error":
            shown = MANIFEST["nodes"][result.unique_id].get("attached_node")
            metadata |= _rows(warehouse, database, result.sql, _shown_by_model(shown))
        metadata["statement"] = _statement(result.sql)
        yield _evaluation(spec, False, metadata, stops=result.failed)


def of_suite(warehouse: Warehouse, database: str, result: SuiteResult) -> Iterator[Evaluation]:
    """What came of the expectations of one table in that database."""
    for outcome in result.outcomes:
        spec = EXPECTATION_CHECKS[result.table, outcome.entry["why"]]
        metadata: dict[str, Any] = {"expected": outcome.expected, "observed": outcome.observed}
        if outcome.rows is not None:
            metadata["rows found"] = outcome.rows
        if outcome.passed:
            yield _evaluation(spec, True, metadata)
            continue
        metadata["message"] = _sentence(outcome.sentence)
        if outcome.sql:
            metadata |= _rows(warehouse, database, outcome.sql, _shown_by_table(result.table))
            metadata["statement"] = _statement(outcome.sql)
        yield _evaluation(spec, False, metadata, stops=not outcome.is_warning)


def _evaluation(
    spec: dg.AssetCheckSpec, passed: bool, metadata: Mapping[str, Any], *, stops: bool = True
) -> Evaluation:
    return Evaluation(
        asset_key=spec.asset_key,
        check_name=spec.name,
        passed=passed,
        severity=dg.AssetCheckSeverity.ERROR if stops else dg.AssetCheckSeverity.WARN,
        metadata={
            key: dg.MetadataValue.text(each) if isinstance(each, str) else each for key, each in metadata.items()
        },
    )


def _statement(sql: str) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(f"```sql\n{sql}\n```")


def _shown_by_model(unique_id: str | None) -> frozenset[str]:
    columns = MANIFEST["nodes"].get(unique_id, {}).get("columns", {})
    return _SHOWN_COLUMNS | {
        name for name, column in columns.items() if column.get("meta", {}).get("shown_in_checks") is True
    }


def _shown_by_table(table: str) -> frozenset[str]:
    return _shown_by_model(next(unique_id for unique_id, spec in MODEL_SPECS.items() if spec.key == _KEYS[table]))


def _rows(warehouse: Warehouse, database: str, sql: str, shown: frozenset[str]) -> dict[str, Any]:
    """Up to ten of the rows that the statement finds, as a table, without a word that may say who somebody is."""
    key = secrets.randbits(64)
    try:
        with warehouse.client(database) as client:
            columns = [(row[0], row[1]) for row in client.query(f"DESCRIBE TABLE ({sql})").result_rows]
            values = [
                f"toString(`{name}`) AS `{name}`"
                if name in shown or _SHOWN_TYPE.match(kind)
                else f"{_HASH.format(name)} AS `{name} (hash)`"
                for name, kind in columns
            ]
            found = client.query(
                f"SELECT {', '.join(values)} FROM ({sql}) LIMIT {_SHOWN_ROWS}",  # noqa: S608 - dbt's and our own SQL
                parameters={"key": key},
                settings={"max_execution_time": _SECONDS},
            )
            records = [
                dg.TableRecord({name: "" if value is None else value for name, value in row.items()})
                for row in found.named_results()
            ]
    except ClickHouseError as error:
        return {"rows": f"The rows cannot be shown: {str(error).splitlines()[0]}"}
    if not records:
        return {}
    schema = dg.TableSchema([dg.TableColumn(name) for name in found.column_names])
    return {"rows": dg.MetadataValue.table(records, schema)}
