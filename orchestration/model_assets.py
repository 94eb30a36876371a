"""The dbt models as assets, and the build: prepare the candidate database, let dbt build and test in it."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from clickhouse_connect.driver.client import Client
from dagster_dbt import DbtCliInvocation, DbtProject, dbt_assets
from pydantic import Field

from expectations.runner import import_in_background, read_suites
from ingest import raw_tables
from orchestration import build_log
from orchestration.plan import Plan, make_plan
from orchestration.project import artifacts_dir, manifest, project_dir
from orchestration.resources import DbtResource, WarehouseResource, dbt_environment
from orchestration.said import say, say_how_far
from orchestration.translator import FootfallTranslator
from warehouse import publishing, tracking_key
from warehouse.connection import Warehouse
from warehouse.settings import get_settings

MANIFEST = manifest(get_settings(), project_dir())


class BuildConfig(dg.Config):
    """What a person may ask of a build."""

    full_refresh: bool = Field(
        default=False,
        description="Rebuild every table from all committed loads. Safe at any time: the result is the same, row for "
        "row; it only takes longer.",
    )


@dbt_assets(
    manifest=MANIFEST,
    dagster_dbt_translator=FootfallTranslator(get_settings().database),
    project=DbtProject(project_dir()),
    name="build_models",
)
def model_assets(
    context: dg.AssetExecutionContext, config: BuildConfig, warehouse: WarehouseResource, dbt: DbtResource
) -> Iterator[Any]:
    """Build and test all models in the candidate database; nothing at all if nothing calls for it."""
    if context.is_subset:
        # The published tables are one version: some of them built further than the others would contradict them.
        raise dg.Failure("Footfall's tables are built all together: start the job build_warehouse.")
    opened = warehouse.get()
    raw_tables.create(opened)
    build_log.settle(opened, full_refresh=config.full_refresh)
    _end_dead_runs(context, opened)
    tracking_key.store(opened)
    plan = make_plan(opened, full_refresh=config.full_refresh)
    if plan.nothing_to_do:
        say(context.log, "Nothing to build: the published tables already contain every committed load.")
        return
    say(context.log, f"Building: {plan.reason}")
    publishing.prepare(opened, plan.full_refresh)
    build_log.start(opened, _build(context.run_id, plan))
    yield from _run_dbt(context, opened, dbt, plan)


# A suite for a table that the project does not have (a project of one's own) has nothing to say.
SUITES = [suite for suite in read_suites() if suite.table in {key.path[-1] for key in model_assets.keys}]


def _end_dead_runs(context: dg.AssetExecutionContext, warehouse: Warehouse) -> None:
    """Say of runs that were killed at work that they have failed; the UI would show them as running for ever."""
    dead = {build.build_id for build in build_log.builds(warehouse) if build.failed_checks == ("interrupted",)}
    started = dg.RunsFilter(job_name=context.run.job_name, statuses=[dg.DagsterRunStatus.STARTED])
    for run in context.instance.get_runs(started):
        if run.run_id in dead:
            context.instance.report_run_failed(run, "The process of this run was killed.")


def _build(build_id: str, plan: Plan) -> build_log.Build:
    return build_log.Build(
        build_id=build_id,
        from_seq=0 if plan.full_refresh else plan.from_seq,
        to_seq=plan.to_seq,
        started_at=datetime.now(UTC),
        published_at=None,
        full_refresh=plan.full_refresh,
        status="running",
        project_hash=plan.project_hash,
    )


def _run_dbt(context: dg.AssetExecutionContext, warehouse: Warehouse, dbt: DbtResource, plan: Plan) -> Iterator[Any]:
    # Unit tests check the code, on data of their own; they belong into the test suite, not into a nightly build.
    arguments = ["build", "--exclude", "resource_type:unit_test"]
    if plan.full_refresh:
        arguments.append("--full-refresh")
    target = artifacts_dir(warehouse.settings) / "target"
    (target / "run_results.json").unlink(missing_ok=True)
    passed, built = 0, 0
    failures: tuple[str, ...] = ("interrupted",)
    try:
        with dbt_environment(warehouse):
            invocation = dbt.cli(arguments, context=context, target_path=target, raise_on_error=False)
        # dbt takes seconds to start, and so does what the next step needs.
        if SUITES:
            import_in_background()
        with warehouse.client() as client:
            for event in invocation.stream():
                if isinstance(event, dg.Output):
                    built += 1
                    say_how_far(built, len(context.assets_def.keys), event.output_name)
                    table = context.asset_key_for_output(event.output_name).path[-1]
                    metadata = _table_metadata(client, warehouse.settings.next_database, table)
                    context.add_output_metadata(metadata, output_name=event.output_name)
                elif isinstance(event, dg.AssetCheckResult):
                    passed += event.passed
                yield event
        failures = _failures(invocation)
    finally:
        if failures:
            build_log.failed(warehouse, context.run_id, failures)
    for failure in failures:
        say(context.log, f"  failed: {failure}")
    if failures:
        raise dg.Failure(f"dbt build failed: {'; '.join(failures)}", allow_retries=False)
    say(context.log, f"dbt: {built} models built, {passed} tests passed")


def _failures(invocation: DbtCliInvocation) -> tuple[str, ...]:
    """A sentence for each model or test that failed; empty if dbt did what it was asked."""
    if invocation.is_successful():
        return ()
    try:
        results = invocation.get_artifact("run_results.json")["results"]
    except FileNotFoundError:
        # It never came to running anything: the project does not compile, or the warehouse does not answer.
        return (str(invocation.get_error()),)
    failed = tuple(
        f"{result['unique_id'].split('.')[2]}: {_plainly(result['message'] or result['status'])}"
        for result in results
        if result["status"] in {"error", "fail", "runtime error"}
    )
    # dbt can also end badly with nothing but good results: killed at its very end, no room for its artifacts, ...
    return failed or (str(invocation.get_error()),)


def _plainly(message: str) -> str:
    """On one line, and of a database error only the server's own words."""
    line = " ".join(message.split())
    return re.sub(r"\s*\((version \d|for url).*$", "", line.partition("server response: ")[2] or line)


def _table_metadata(client: Client, database: str, table: str) -> dict[str, Any]:
    """Row count and columns of the table just built; both are metadata to ClickHouse, no row is read."""
    columns, rows = client.query(
        """
        SELECT
            groupArray((name, type, comment)) AS columns,
            (SELECT any(total_rows) FROM system.tables WHERE database = {db:String} AND name = {table:String}) AS rows
        FROM (
            SELECT name, type, comment FROM system.columns
            WHERE database = {db:String} AND table = {table:String} ORDER BY position
        )
        """,
        parameters={"db": database, "table": table},
    ).result_rows[0]
    schema = dg.TableSchema(
        [dg.TableColumn(name, type=kind, description=comment or None) for name, kind, comment in columns]
    )
    # A view has no row count.
    counted = {} if rows is None else {"dagster/row_count": rows}
    return {"dagster/column_schema": schema, **counted}
