"""The jobs and what starts them: schedules and sensors, off until switched on but for the one that keeps the record."""

from datetime import timedelta

import dagster as dg

from orchestration import build_log, load_records
from orchestration.landing_days import LANDING_DAYS
from orchestration.plan import make_plan
from orchestration.raw_assets import landing_assets
from orchestration.warehouse_build import warehouse_build
from warehouse.connection import connect
from warehouse.settings import get_settings

# Not the checks: a build runs them all anyway, and Dagster would call each failed that a failed build did not come to.
_TABLES = dg.AssetSelection.assets(warehouse_build).without_checks()
# For a run that waited for the lock in vain; what fails in an asset is repeated there, if it is retryable.
RETRIED = {"dagster/max_retries": "3", "dagster/retry_on_asset_or_op_failure": "false"}

build_warehouse = dg.define_asset_job(
    "build_warehouse",
    selection=_TABLES,
    description="Builds all tables for the loads committed since the last build, checks them, publishes them if "
    "every blocking check passes. Ends at once if there is nothing to build. `footfall build` runs this job.",
)

load_landing = dg.define_asset_job(
    "load_landing",
    selection=dg.AssetSelection.assets(*landing_assets),
    partitions_def=LANDING_DAYS,
    tags=RETRIED,
    description="Loads days of the landing folder; files that are already loaded are skipped.",
)

load_and_build = dg.define_asset_job(
    "load_and_build",
    selection=dg.AssetSelection.assets(*landing_assets) | _TABLES,
    partitions_def=LANDING_DAYS,
    tags=RETRIED,
    description="Loads days of the landing folder, then builds, checks and publishes all tables.",
)


@dg.schedule(
    job=build_warehouse,
    cron_schedule="15 * * * *",
    description="Builds what has been loaded since the last build; starts no run if that is nothing.",
)
def hourly_build(_context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for a build if there is anything to build."""
    with connect(get_settings()) as warehouse:
        plan, builds = make_plan(warehouse), build_log.builds(warehouse)
    # A build that died while it published left nothing to build, and yet something to finish.
    if plan.nothing_to_do and not (builds and builds[0].status == "running"):
        return dg.SkipReason("Nothing waits to be built: the published tables contain every committed load.")
    return dg.RunRequest()


@dg.schedule(
    job=load_landing,
    cron_schedule="0 1 * * *",
    execution_timezone="UTC",
    description="Loads yesterday's landing folder, for those who do not use the sensor.",
)
def daily_landing(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for yesterday (UTC), the day that has ended when this runs."""
    yesterday = context.scheduled_execution_time.date() - timedelta(days=1)
    if yesterday < LANDING_DAYS.start.date():
        return dg.SkipReason(f"{yesterday} is before the first landing day, {LANDING_DAYS.start.date()}.")
    return dg.RunRequest(partition_key=yesterday.isoformat())


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Records loads of the command line as materializations of the raw tables. Starts no runs.",
)
def loads_of_the_command_line(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Tell Dagster what the ledger knows."""
    with connect(get_settings()) as warehouse:
        told = load_records.tell(context.instance, warehouse)
    if not told:
        return dg.SkipReason("Every load is recorded.")
    return dg.SkipReason(f"Recorded: {', '.join(sorted({each.asset_key.to_user_string() for each in told}))}.")
