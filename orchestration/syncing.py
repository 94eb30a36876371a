"""The job sync_sources: reads the operational databases whose address the environment gives."""

import dagster as dg

from ingest.sources import postgres, syncing
from ingest.sources.contract import contracts
from ingest.sources.syncing import Options
from orchestration.automation import RETRIED
from orchestration.resources import WRITER_POOL
from warehouse.connection import connect
from warehouse.errors import FootfallError
from warehouse.lock import exclusive
from warehouse.settings import get_settings

# How long a run waits for a command that is writing.
_WAIT_SECONDS = 900.0


@dg.op(pool=WRITER_POOL, retry_policy=dg.RetryPolicy(max_retries=3, delay=60, backoff=dg.Backoff.EXPONENTIAL))
def sync_all(context: dg.OpExecutionContext) -> None:
    """Sync every source that has an address; if one fails, the others are synced nevertheless."""
    settings = get_settings()
    failures, is_away = [], False
    with connect(settings) as warehouse:
        for name, contract in contracts(settings.home).items():
            place = postgres.place_of(name)
            if place is None:
                context.log.info(f"{name} has no address ({postgres.variable_of(name)}).")
                continue
            try:
                with exclusive(warehouse, "sync", _WAIT_SECONDS):
                    for one in syncing.sync(warehouse, contract, place, Options()):
                        context.log.info(f"{one.sentence}.")
            except FootfallError as error:
                context.log.error(str(error))
                failures.append(str(error))
                is_away = is_away or isinstance(error, postgres.SourceAway)
    if failures:
        # a missing column or grant is missing in a minute, too
        raise dg.Failure(" ".join(failures), allow_retries=is_away)


@dg.job(
    tags=RETRIED,
    description="Reads the operational databases whose address FOOTFALL_SOURCE_… gives: `footfall sync` for each.",
)
def sync_sources() -> None:
    """Sync every source that has an address."""
    sync_all()


@dg.schedule(
    job=sync_sources,
    cron_schedule="45 0 * * *",
    execution_timezone="UTC",
    description="Reads the operational databases; starts no run if none has an address.",
)
def nightly_sync(_context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for a run if any source has an address."""
    if not any(postgres.place_of(name) for name in contracts(get_settings().home)):
        return dg.SkipReason("No source has an address.")
    return dg.RunRequest()
