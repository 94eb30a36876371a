"""The build as one step: prepare, dbt, expectations, publish. Or, asked for checks alone, the checks."""

import time
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from clickhouse_connect.driver.exceptions import ClickHouseError
from pydantic import Field

from expectations.runner import import_in_background, run_suites
from ingest import raw_tables, rereading
from orchestration import build_log, checks, hot_keys, load_records, pictures
from orchestration.dbt_run import DbtOutcome, run_dbt
from orchestration.model_assets import MODEL_SPECS, PUBLISHED_SPEC
from orchestration.plan import Plan, begin, make_plan
from orchestration.progress import say, say_how_far
from orchestration.project import artifacts_dir
from orchestration.resources import WRITER_POOL, WarehouseResource
from orchestration.run import DBT, EXPECTATIONS, PUBLISH
from orchestration.table_records import PublishedBuild, RawVersion, is_recorded, materializations, raw_versions
from warehouse import access_apply, publishing, tracking_key
from warehouse.connection import Warehouse
from warehouse.errors import FootfallError


class BuildConfig(dg.Config):
    """What a person may ask of a build."""

    full_refresh: bool = Field(
        default=False,
        description="Rebuild every table from all committed loads. Safe at any time: the result is the same, row for "
        "row; it only takes longer.",
    )


class _BuildFailed(dg.Failure):
    """The build itself failed: another attempt would fail the same way."""

    def __init__(self, what: str, reasons: tuple[str, ...]) -> None:
        super().__init__(f"{what}: {'; '.join(reasons)}", allow_retries=False)
        self.reasons = reasons


@dg.multi_asset(
    name="build",
    specs=[*MODEL_SPECS.values(), PUBLISHED_SPEC],
    check_specs=checks.CHECK_SPECS,
    can_subset=True,
    pool=WRITER_POOL,
    description="Builds what has been loaded since the last build, checks it and publishes it: always all tables, "
    "whichever were asked for, because they are one version. Asked for checks alone, it runs those on the published "
    "tables and changes nothing.",
)
def warehouse_build(
    context: dg.AssetExecutionContext, config: BuildConfig, warehouse: WarehouseResource
) -> Iterator[Any]:
    """Build, check and publish what waits, for any selection of tables; only check, if no table is selected."""
    opened = warehouse.get()
    if not context.selected_asset_keys:
        yield from _check_published(context, opened, context.selected_asset_check_keys)
        return
    raw_tables.create(opened)
    build_log.settle(opened, full_refresh=config.full_refresh)
    _end_dead_runs(context, opened)
    tracking_key.store(opened)
    _read_again(context, opened)
    load_records.tell(context.instance, opened)
    # Before the ledger is looked at: what is loaded from here on is news to the tables.
    raw = raw_versions(context.instance)
    plan = make_plan(opened, full_refresh=config.full_refresh)
    if plan.nothing_to_do:
        yield from _nothing_to_build(context, opened, plan, raw)
        return
    say(context.log, f"Building: {plan.reason}")
    previous = publishing.standing(opened).published.build_id
    begin(opened, plan)
    build = _build(context.run_id, plan)
    build_log.start(opened, build)
    seconds: dict[str, float] = {}
    outcome = DbtOutcome((), ())
    try:
        with _failure_is_logged(opened, build.build_id):
            with _timed(seconds, DBT):
                outcome = _run_dbt(context, opened, plan)
            yield from _recorded(context, checks.of_dbt(opened, opened.settings.next_database, outcome.results))
            if outcome.failures:
                raise _failed(context, "dbt build failed", _explained(context, opened, outcome.failures))
            built = sum(result.unique_id in MODEL_SPECS for result in outcome.results)
            say(context.log, f"dbt: {built} models built, {outcome.passed()} tests passed")
            for result in outcome.results:
                if result.status == "warn":
                    say(context.log, f"  warning: {result.sentence}")
            with _timed(seconds, EXPECTATIONS):
                yield from _run_expectations(context, opened)
            with _timed(seconds, PUBLISH):
                _publish(opened, build)
    except _BuildFailed:
        if outcome.failures:
            # Dagster waits for all checks of what was selected, and calls failed what it hears nothing of. The tables
            # are as they were: so the checks that dbt did not come to are run on them.
            left = context.selected_asset_check_keys - checks.that_ran(outcome.results)
            with suppress(dg.Failure):
                yield from _check_published(context, opened, left)
        raise
    say(context.log, f"Published loads up to {build.to_seq} as {opened.settings.database}")
    _let_analysts_see(context, opened)
    published = PublishedBuild(
        build_id=build.build_id,
        to_seq=build.to_seq,
        previous_id=previous,
        from_seq=build.from_seq,
        full_refresh=build.full_refresh,
        rebuilt=plan.rebuild.keys(),
        started_at=build.started_at,
        results=outcome.by_id(),
        seconds=seconds,
    )
    yield from _recorded(context, materializations(context.instance, opened, published, raw))


def _let_analysts_see(context: dg.AssetExecutionContext, warehouse: Warehouse) -> None:
    """Give analysts of one tenant what is published for the first time; until then it is out of their reach."""
    try:
        if access_apply.follow_published(warehouse):
            say(context.log, "Analysts of one tenant see the tables that are new")
    except (ClickHouseError, FootfallError) as error:
        say(
            context.log,
            f"  warning: analysts of one tenant do not see new tables yet; `footfall access apply`: {error}",
        )


def _read_again(context: dg.AssetExecutionContext, warehouse: Warehouse) -> None:
    """Read the lines of loads again whose contract says something else by now."""
    with warehouse.client() as client:
        outdated = len(rereading.outdated(warehouse, client))
        if outdated:
            say(
                context.log,
                f"Reading {outdated} load{'s' * (outdated > 1)} again: what their contracts say has changed",
            )
        for load in rereading.read_again(warehouse, client):
            say(context.log, f"  {load.sentence}")


def _nothing_to_build(
    context: dg.AssetExecutionContext, warehouse: Warehouse, plan: Plan, raw: Mapping[dg.AssetKey, RawVersion]
) -> Iterator[Any]:
    """Say so, and of the checks that they stand as they are; and write down what is published, if the run that
    published it died before it could.
    """
    # Dagster calls skipped what it hears nothing of. Logged, not yielded: one that failed is no failure of this run.
    for evaluation in checks.latest(context.instance, context.selected_asset_check_keys):
        context.log_event(evaluation)
    published = publishing.standing(warehouse).published.build_id
    if not published:
        say(context.log, "Nothing to build: nothing has been loaded yet.")
        return
    say(context.log, "Nothing to build: the published tables already contain every committed load.")
    build = PublishedBuild(published, plan.to_seq)
    if context.run.tags.get("dagster/backfill") or not is_recorded(context.instance, published):
        yield from _recorded(context, materializations(context.instance, warehouse, build, raw))


def _recorded(context: dg.AssetExecutionContext, events: Iterator[Any]) -> Iterator[Any]:
    """The same events, those about what was selected in the form in which Dagster waits for them."""
    for event in events:
        if isinstance(event, dg.AssetMaterialization) and event.asset_key in context.selected_asset_keys:
            yield dg.MaterializeResult(asset_key=event.asset_key, metadata=event.metadata, tags=event.tags)
        elif isinstance(event, dg.AssetCheckEvaluation) and event.asset_check_key in context.selected_asset_check_keys:
            yield dg.AssetCheckResult(
                asset_key=event.asset_key,
                check_name=event.check_name,
                passed=event.passed,
                severity=event.severity,
                metadata=event.metadata,
            )
        else:
            yield event


def _check_published(
    context: dg.AssetExecutionContext, warehouse: Warehouse, wanted: AbstractSet[dg.AssetCheckKey]
) -> Iterator[Any]:
    """Run these checks on what people read; nothing is built, published or said to be new."""
    database = warehouse.settings.database
    if not wanted:
        return
    if not publishing.standing(warehouse).published.build_id:
        say(context.log, "There is nothing to check: nothing has been published yet.")
        return
    tests = checks.published_tests(wanted)
    suites = checks.wanted_suites(wanted)
    if suites:
        import_in_background()
    if tests:
        outcome = run_dbt(
            warehouse,
            ["test", "--select", *tests],
            # Parsed for another database: in the target of the builds each would undo the other's partial parse.
            target=artifacts_dir(warehouse.settings) / "published",
            variables={"FOOTFALL_DBT_SCHEMA": database, "FOOTFALL_WHOLE_TABLES": "1"},
        )
        if outcome.failures and not any(result.failed for result in outcome.results):
            raise dg.Failure(f"The checks could not be run: {'; '.join(outcome.failures)}", allow_retries=False)
        yield from _recorded(context, checks.of_dbt(warehouse, database, outcome.results))
    for result in run_suites(warehouse, database, suites, whole_tables=True) if suites else ():
        yield from _recorded(context, checks.of_suite(warehouse, database, result))
    ran = len(tests) + sum(len(suite.expectations) for suite in suites)
    say(context.log, f"Checked the published tables: {ran} of {len(wanted)} checks were run.")
    if ran < len(wanted):
        say(context.log, "The others look at what only a build has, and are run by the next one.")


def _end_dead_runs(context: dg.AssetExecutionContext, warehouse: Warehouse) -> None:
    """Say of runs that were killed at work that they have failed; the UI would show them as running for ever."""
    dead = [build.build_id for build in build_log.builds(warehouse) if build.failed_checks == ("interrupted",)]
    if dead:
        started = dg.RunsFilter(run_ids=dead, statuses=[dg.DagsterRunStatus.STARTED])
        for run in context.instance.get_runs(started):
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


@contextmanager
def _failure_is_logged(warehouse: Warehouse, build_id: str) -> Iterator[None]:
    """What ends the block badly is written to the build log, unless the swap has begun: the next command ends it."""
    try:
        yield
    except BaseException as error:
        reasons: tuple[str, ...] = ("interrupted",)
        if isinstance(error, _BuildFailed):
            reasons = error.reasons
        elif isinstance(error, Exception):
            reasons = (str(error).strip().partition("\n")[0] or type(error).__name__,)
        # The warehouse itself may be what is gone.
        with suppress(ClickHouseError, FootfallError, OSError):
            if publishing.standing(warehouse).published.build_id != build_id:
                build_log.failed(warehouse, build_id, reasons)
        raise


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[stage] = time.monotonic() - started


def _failed(context: dg.AssetExecutionContext, what: str, reasons: tuple[str, ...]) -> _BuildFailed:
    for reason in reasons:
        say(context.log, f"  failed: {reason}")
    return _BuildFailed(what, reasons)


def _explained(context: dg.AssetExecutionContext, warehouse: Warehouse, failures: Sequence[str]) -> tuple[str, ...]:
    """The failures in the words for people; keys that may be the cause are named in the log of the run alone."""
    keys = hot_keys.behind(warehouse, failures)
    for key in keys:
        say(context.log, f"  most events: {key}")
    return hot_keys.explained(failures, keys)


def _run_dbt(context: dg.AssetExecutionContext, warehouse: Warehouse, plan: Plan) -> DbtOutcome:
    # Unit tests check the code, on data of their own; they belong into the test suite, not into a nightly build.
    arguments = ["build", "--exclude", "resource_type:unit_test"]
    if plan.full_refresh:
        arguments.append("--full-refresh")
    done: set[str] = set()

    def when_done(unique_id: str) -> None:
        if unique_id in MODEL_SPECS and unique_id not in done:
            done.add(unique_id)
            say_how_far(len(done), len(MODEL_SPECS), unique_id.split(".")[2])

    # dbt takes seconds to start, and so does what comes next.
    if checks.SUITES:
        import_in_background()
    pictures.prepare_in_background()
    return run_dbt(warehouse, arguments, target=artifacts_dir(warehouse.settings) / "target", when_done=when_done)


def _run_expectations(context: dg.AssetExecutionContext, warehouse: Warehouse) -> Iterator[Any]:
    """Run every suite over the candidate; a critical expectation that does not hold stops the publication."""
    database = warehouse.settings.next_database
    stopped: list[str] = []
    passed = 0
    for result in run_suites(warehouse, database, checks.SUITES) if checks.SUITES else ():
        passed += result.passed
        stopped += [f"{result.table}: {failure}" for failure in result.failures]
        for warning in result.warnings:
            say(context.log, f"  warning: {result.table}: {warning}")
        yield from _recorded(context, checks.of_suite(warehouse, database, result))
    if checks.SUITES:
        say(context.log, f"Great Expectations: {passed} expectations hold, {len(stopped)} do not")
    if stopped:
        raise _failed(context, "Great Expectations failed", _explained(context, warehouse, stopped))


def _publish(warehouse: Warehouse, build: build_log.Build) -> None:
    publishing.publish(warehouse, publishing.Version(build.build_id, build.project_hash))
    build_log.published(warehouse, build.build_id)
