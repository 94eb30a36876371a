"""The code location: everything Dagster knows of Footfall. Loaded by workspace.yaml."""

import dagster as dg

from orchestration.alerts import failed_runs
from orchestration.automation import (
    build_warehouse,
    daily_landing,
    hourly_build,
    load_and_build,
    load_landing,
    loads_of_the_command_line,
)
from orchestration.forgetting import daily_forgetting, forget_people
from orchestration.keeping import apply_retention_policies, daily_cut
from orchestration.landing_sensor import landing_folder
from orchestration.raw_assets import landing_assets, landing_checks, shown_assets
from orchestration.resources import WarehouseResource
from orchestration.run_records import do_not_wait_for_the_disk
from orchestration.syncing import nightly_sync, sync_sources
from orchestration.warehouse_build import warehouse_build

do_not_wait_for_the_disk()

defs = dg.Definitions(
    assets=[*landing_assets, *shown_assets, warehouse_build],
    asset_checks=landing_checks,
    jobs=[build_warehouse, load_landing, load_and_build, forget_people, apply_retention_policies, sync_sources],
    schedules=[hourly_build, daily_landing, daily_forgetting, daily_cut, nightly_sync],
    sensors=[landing_folder, loads_of_the_command_line, failed_runs],
    resources={"warehouse": WarehouseResource()},
    # One process per run: the steps share the run's lock and connection, and there is nothing to run in parallel
    # beside dbt's own threads.
    executor=dg.in_process_executor,
)
