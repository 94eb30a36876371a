"""The raw tables as assets: those with a landing folder are loaded by landing day, the others are only shown."""

from datetime import date

import dagster as dg

from ingest.landing import load_day
from orchestration.landing_state import LANDING_TABLES
from orchestration.resources import WarehouseResource

# A landing day is the day a file was put into the landing folder, so none is older than this project.
LANDING_DAYS = dg.DailyPartitionsDefinition(start_date="2025-01-01", end_offset=1)

_DESCRIPTIONS = {
    "events": "Raw events of every committed load, as sent. One row per accepted line.",
    "identity_mappings": "Links from anonymous to user ids, and merges, of every committed load.",
    "funnel_steps": "Funnel definitions that tenants loaded; the others are a dbt seed.",
    "retention_definitions": "Retention definitions that tenants loaded; the others are a dbt seed.",
    "loads": "The ledger: a load exists once its row here says committed.",
    "tracking_key": "The key of the tracking ids, as the two padded blocks of HMAC.",
    "rejected_rows": "Rows that no load accepted, with the reason and the original text.",
}


def _landing_asset(table: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=["raw", table],
        group_name="raw",
        description=f"{_DESCRIPTIONS[table]} A partition is a day of the landing folder, "
        f"landing/{table}/YYYY-MM-DD; the folder is the truth: loading a day again follows what changed in it.",
        kinds={"clickhouse"},
        owners=["team:analytics"],
        partitions_def=LANDING_DAYS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        # For a warehouse that goes away for a moment.
        retry_policy=dg.RetryPolicy(max_retries=3, delay=5, backoff=dg.Backoff.EXPONENTIAL),
    )
    def landing(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> dg.MaterializeResult:
        results = [
            result
            for key in context.partition_keys
            for result in load_day(warehouse.get(), table, date.fromisoformat(key))
        ]
        for result in results:
            context.log.info(str(result))
        failures = [result for result in results if result.status == "failed"]
        if failures:
            raise dg.Failure(
                f"{len(failures)} of {len(results)} files could not be loaded; the others are committed.",
                metadata={str(result.path): str(result.reason) for result in failures},
                allow_retries=any(result.may_heal for result in failures),
            )
        return dg.MaterializeResult(
            metadata={
                "files": len(results),
                "rows accepted": sum(result.rows_accepted for result in results),
                "rows rejected": sum(result.rows_rejected for result in results),
                "rows duplicate": sum(result.rows_duplicate for result in results),
            }
        )

    return landing


landing_assets = [_landing_asset(table) for table in LANDING_TABLES]

shown_assets = [
    dg.AssetSpec(
        key=["raw", table],
        group_name="raw",
        description=description,
        kinds={"clickhouse"},
        owners=["team:analytics"],
    )
    for table, description in _DESCRIPTIONS.items()
    if table not in LANDING_TABLES
]
