"""The raw tables as assets: those with a landing folder are loaded by landing day, the others are only shown."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg
from clickhouse_connect.driver.exceptions import ClickHouseError
from pydantic import Field

from ingest import landing_folder, raw_tables
from ingest.landing import load_day
from ingest.loading import LoadResult
from orchestration import load_records
from orchestration.landing_days import LANDING_DAYS
from orchestration.resources import WRITER_POOL, WarehouseResource
from warehouse.connection import Warehouse
from warehouse.errors import FootfallError
from warehouse.settings import get_settings

# For a warehouse that goes away for a moment; the sensor comes back to days that failed for longer.
_RETRIES = dg.RetryPolicy(max_retries=3, delay=5, backoff=dg.Backoff.EXPONENTIAL)

_DESCRIPTIONS = {
    "events": "Raw events of every committed load, as sent. One row per accepted line.",
    "identity_mappings": "Links from anonymous to user ids, and merges, of every committed load.",
    "funnel_steps": "Funnel definitions that tenants loaded; the others are a dbt seed.",
    "retention_definitions": "Retention definitions that tenants loaded; the others are a dbt seed.",
    "loads": "The ledger: a load exists once its row here says committed.",
    "tracking_key": "The key of the tracking ids, as the two padded blocks of HMAC.",
    "erased_rows": "Raw rows that erasures and cuts take, until they are gone from the disk.",
    "cuts": "Dates before which a tenant's events, or daily figures, are not kept.",
    "source_rows": "Rows of operational databases, every version that a sync found.",
    "source_syncs": "What each sync read of each table, and when.",
    "kept_session_stats": "Daily figures of sessions of days whose events are cut.",
    "kept_event_hours": "Hourly figures of events of days whose events are cut.",
    "rejected_rows": "Rows that no load accepted, with the reason and the original text.",
}


class LandingConfig(dg.Config):
    """What the sensor asks of a run over a range of days."""

    days: list[str] = Field(
        default=[],
        description="Look only into the folders of these days of the partition range; into all if none is named. The "
        "sensor names the days in which something changed.",
    )


@dataclass(frozen=True)
class _Day:
    """What became of a landing day; `problem` is empty if all of it is loaded."""

    key: str
    results: Sequence[LoadResult] = ()
    problem: str = ""
    is_retryable: bool = False


def landing_asset(table: str, days: dg.PartitionsDefinition[str] = LANDING_DAYS) -> dg.AssetsDefinition:
    """The asset of a raw table that has a landing folder, with these partitions."""

    @dg.asset(
        key=["raw", table],
        group_name="raw",
        description=f"{_DESCRIPTIONS[table]} A partition is a day of delivery: the files of "
        f"landing/{table}/YYYY-MM-DD, and what `footfall load` brought on that day. The folder is the truth: loading a "
        "day again follows what changed in it.",
        kinds={"clickhouse"},
        owners=["team:analytics"],
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=_RETRIES,
        pool=WRITER_POOL,
    )
    def landing(
        context: dg.AssetExecutionContext, config: LandingConfig, warehouse: WarehouseResource
    ) -> Iterator[dg.MaterializeResult]:
        opened = warehouse.get()
        raw_tables.create(opened)
        load_records.tell(context.instance, opened, days)
        outcomes = list(_load_days(context, opened, table, set(config.days or context.partition_keys)))
        failed = [day for day in outcomes if day.problem]
        if any(day.is_retryable for day in failed) and context.retry_number < _RETRIES.max_retries:
            raise _failure(failed, len(outcomes), allow_retries=True)
        with opened.client() as client:
            raw = opened.settings.raw_database
            recorded = {
                day.key: load_records.figures(client, raw, table, day.key) | _counts(day)
                for day in outcomes
                if not day.problem
            }
            version = load_records.data_version(client, raw, table)
        if failed:
            for key, figures in recorded.items():
                context.log_event(load_records.materialization(table, key, figures, version))
            for day in failed:
                why = {"problem": day.problem}
                context.log_event(dg.AssetObservation(["raw", table], partition=day.key, metadata=why))
            load_records.tell(context.instance, opened, days)
            raise _failure(failed, len(outcomes), allow_retries=False)
        for key, figures in recorded.items():
            context.add_asset_metadata(figures, partition_key=key)
        load_records.tell(context.instance, opened, days)
        yield dg.MaterializeResult(data_version=dg.DataVersion(version))

    return landing


def _load_days(context: dg.AssetExecutionContext, warehouse: Warehouse, table: str, wanted: Set[str]) -> Iterator[_Day]:
    """Load day after day and tell the log of each file; one that fails leaves the others alone.

    A day of the range that is not wanted is as it was: it is recorded, because to Dagster it is of this run as well.
    """
    keys = context.partition_keys
    for done, key in enumerate(keys):
        if key not in wanted:
            yield _Day(key)
            continue
        try:
            results = load_day(warehouse, table, date.fromisoformat(key))
        except FootfallError as error:
            context.log.error(f"{key} could not be loaded. {error}")
            yield _Day(key, problem=str(error))
        except (ClickHouseError, OSError) as error:
            # Without a warehouse it would be the same with every day that is left.
            context.log.error(f"The warehouse went away while {key} was being loaded. {error}")
            for left in keys[done:]:
                yield _Day(left, problem="the warehouse went away", is_retryable=True)
            return
        else:
            for left in landing_folder.left_alone(landing_folder.folder(warehouse.settings), table, key):
                context.log.info(f"{key}: {left.path.name} is left alone: {left.reason}.")
            yield _said(context, table, key, results)


def _said(context: dg.AssetExecutionContext, table: str, key: str, results: Sequence[LoadResult]) -> _Day:
    for result in results:
        (context.log.error if result.status == "failed" else context.log.info)(f"{key}: {sentence(result)}")
    if not results:
        context.log.info(f"{key}: landing/{table} has no file for this day, and nothing is loaded from it.")
    failed = [result for result in results if result.status == "failed"]
    return _Day(
        key,
        results,
        problem="; ".join(f"{result.path.name}: {result.reason}" for result in failed),
        is_retryable=any(result.is_retryable for result in failed),
    )


def sentence(result: LoadResult) -> str:
    """What became of a file: `orders.csv is loaded: 1,000 rows accepted, 2 rejected, 0 duplicate.`"""
    reason = result.reason.rstrip(".")
    if result.status == "failed":
        return f"{result.path.name} could not be loaded: {reason}."
    if result.status == "skipped":
        return f"{result.path.name} is there already, with the same content."
    if not result.load_id:
        return f"The rows of {result.path.name} are withdrawn: {reason}."
    rows = f"{result.rows_accepted:,} rows accepted, {result.rows_rejected:,} rejected"
    instead = ", in place of its earlier content" if result.status == "superseded" else ""
    why = f" ({reason})" if reason else ""
    return f"{result.path.name} is loaded{instead}: {rows}, {result.rows_duplicate:,} duplicate{why}."


def _counts(day: _Day) -> dict[str, Any]:
    """How many files this run loaded, withdrew or found there already, beside what stands of the day."""
    withdrawn = sum(result.status == "superseded" and not result.load_id for result in day.results)
    skipped = sum(result.status == "skipped" for result in day.results)
    return {
        "files loaded now": len(day.results) - withdrawn - skipped,
        "files there already": skipped,
        "files withdrawn": withdrawn,
    }


def _failure(failed: Sequence[_Day], of: int, *, allow_retries: bool) -> dg.Failure:
    problems = {day.key: day.problem for day in failed}
    told = "; ".join(f"{key} ({problem.rstrip('.')})" for key, problem in list(problems.items())[:3])
    more = f"; and {len(failed) - 3} more" if len(failed) > 3 else ""
    others = " The other days are loaded." if len(failed) < of else ""
    days = "day" if of == 1 else "days"
    return dg.Failure(
        f"{len(failed)} of {of} landing {days} could not be loaded as a whole: {told}{more}.{others}",
        metadata=problems,
        allow_retries=allow_retries,
    )


def _files_check(table: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=["raw", table],
        name="every_file_can_be_loaded",
        description="Nothing lies in the landing folder where no load looks: outside a folder of a day, in one of a "
        "day that does not exist, before the earliest day; and every footfall.yml can be used.",
    )
    def every_file_can_be_loaded() -> dg.AssetCheckResult:
        return files_check_result(table)

    return every_file_can_be_loaded


def files_check_result(table: str) -> dg.AssetCheckResult:
    """Whether all files of a table's landing folder can be loaded; events also answer for what lies beside both."""
    landing = landing_folder.folder(get_settings())
    of_none = {""} if table == landing_folder.TABLES[0] else set()
    strays = [stray for stray in landing_folder.strays(landing) if stray.table in {table} | of_none]
    shown = [
        dg.TableRecord({"file": str(stray.path.relative_to(landing)), "reason": stray.reason}) for stray in strays[:100]
    ]
    return dg.AssetCheckResult(
        passed=not strays,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"files": len(strays)} | ({"which": dg.MetadataValue.table(shown)} if shown else {}),
        description="; ".join(map(str, strays[:3])) or None,
    )


landing_assets = [landing_asset(table) for table in landing_folder.TABLES]
landing_checks = [_files_check(table) for table in landing_folder.TABLES]

shown_assets = [
    dg.AssetSpec(
        key=["raw", table],
        group_name="raw",
        description=description,
        kinds={"clickhouse"},
        owners=["team:analytics"],
    )
    for table, description in _DESCRIPTIONS.items()
    if table not in landing_folder.TABLES
]
