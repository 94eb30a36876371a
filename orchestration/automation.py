"""The jobs and what starts them: schedules and the sensor on the landing folder, all off until switched on."""

import json
from collections.abc import Iterator

import dagster as dg

from orchestration.landing_state import landing_state
from orchestration.model_assets import model_assets
from orchestration.publication import published
from orchestration.raw_assets import LANDING_DAYS, landing_assets
from warehouse.settings import get_settings

build_warehouse = dg.define_asset_job(
    "build_warehouse",
    selection=dg.AssetSelection.assets(model_assets, published),
    description="Builds all tables for the loads committed since the last build, checks them, publishes them if "
    "every blocking check passes. Ends at once if there is nothing to build. `footfall build` runs this job.",
)

load_landing = dg.define_asset_job(
    "load_landing",
    selection=dg.AssetSelection.assets(*landing_assets),
    partitions_def=LANDING_DAYS,
    # For a run that waited for the lock in vain; what fails in an asset is repeated there, if it may heal.
    tags={"dagster/max_retries": "3", "dagster/retry_on_asset_or_op_failure": "false"},
    description="Loads a day of the landing folder; files that are already loaded are skipped.",
)

hourly_build = dg.ScheduleDefinition(
    name="hourly_build",
    job=build_warehouse,
    cron_schedule="15 * * * *",
    description="Builds what has been loaded since the last build; a second's work if that is nothing.",
)

daily_landing = dg.build_schedule_from_partitioned_job(
    load_landing,
    name="daily_landing",
    hour_of_day=1,
    description="Loads yesterday's landing folder, for those who do not use the sensor.",
)


@dg.sensor(
    job=load_landing,
    minimum_interval_seconds=60,
    description="Loads a landing day as soon as a file in it is new, changed or gone.",
)
def landing_folder(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Request a run for every landing day whose files look different from what the last tick saw."""
    seen = json.loads(context.cursor) if context.cursor else {}
    # A day that is not yet one is seen once it is.
    valid = set(LANDING_DAYS.get_partition_keys())
    state = landing_state(get_settings().home / "landing")
    now = {day: files for day, files in state.items() if day in valid}
    changed = sorted(day for day in seen.keys() | now.keys() if seen.get(day) != now.get(day) and day in valid)
    context.update_cursor(json.dumps(now, sort_keys=True))
    for day in changed:
        # No run key: Dagster starts no run for one it knows, and a day may come to look as it did before.
        yield dg.RunRequest(partition_key=day)
    if not changed:
        yield dg.SkipReason("No landing day has changed.")
