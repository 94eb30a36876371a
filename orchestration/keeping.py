"""The job apply_retention_policies: cuts what is older than its tenant keeps it."""

from datetime import UTC, datetime

import dagster as dg

from orchestration.forgetting import BUILDS, WAIT_SECONDS
from orchestration.resources import WRITER_POOL
from privacy import retention
from warehouse.connection import connect
from warehouse.settings import get_settings


@dg.op(pool=WRITER_POOL)
def cut_what_is_older(context: dg.OpExecutionContext) -> None:
    """Cut what the policies call for today, and finish what was broken off."""
    with connect(get_settings()) as warehouse:
        cut, files = retention.apply(warehouse, datetime.now(UTC).date(), BUILDS, WAIT_SECONDS)
    for one in cut:
        context.log.info(f"Cut: {one.sentence}.")
    for path in files:
        context.log.warning(f"{path} holds rows that were cut, and is not rewritten.")
    context.add_output_metadata({"cuts": len(cut), "rows": sum(one.rows for one in cut)})


@dg.job(description="Cuts what is older than its tenant keeps it: `footfall retention-policies apply` for today.")
def apply_retention_policies() -> None:
    """Cut what is older than its tenant keeps it."""
    cut_what_is_older()


@dg.schedule(
    job=apply_retention_policies,
    cron_schedule="30 3 * * *",
    execution_timezone="UTC",
    description="Cuts what is older than its tenant keeps it; starts no run if nothing is.",
)
def daily_cut(_context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for a run if the policies call for any cut."""
    with connect(get_settings()) as warehouse:
        if not retention.due(warehouse, datetime.now(UTC).date()):
            return dg.SkipReason("Nothing is older than it is kept.")
    return dg.RunRequest()
