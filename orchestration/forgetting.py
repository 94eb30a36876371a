"""The job forget_people: erases everybody for whom a request stands open (`footfall forget --later`, or a killed one).

The requests are files of the home, which go with the erasure. So no id is in the configuration of a run, in its events
or in its logs; from what is said of errors the person's ids and traits are struck out.
"""

import dagster as dg

from orchestration.plan import make_plan
from orchestration.resources import WRITER_POOL
from orchestration.run import run_build
from privacy import requests
from privacy.erasure import Builds, Erased, erase
from privacy.requests import Request
from warehouse.connection import Warehouse, connect
from warehouse.errors import FootfallError
from warehouse.settings import get_settings

# How long a run waits for a command that is writing.
WAIT_SECONDS = 900.0


@dg.op(pool=WRITER_POOL)
def erase_people(context: dg.OpExecutionContext) -> None:
    """Erase everybody for whom a request stands open. If one fails, the others are erased nevertheless."""
    settings = get_settings()
    asked = requests.standing(settings.home)
    context.log.info(f"Requests to be forgotten: {len(asked)}.")
    failures = []
    for request in asked:
        erased, problem = _outcome(request)
        if erased:
            context.log.info(erased.sentence)
            for path in erased.files:
                context.log.warning(f"{_struck_out(path, request)} holds rows of theirs, and is not rewritten.")
        else:
            context.log.error(problem)
            failures.append(problem)
    if failures:
        raise dg.Failure("; ".join(failures), allow_retries=False)


def _outcome(request: Request) -> tuple[Erased | None, str]:
    """What became of a request, or why nothing did. Whatever an error says may hold an id, so none gets out of here."""
    try:
        with connect(get_settings()) as warehouse:
            erased = erase(warehouse, request, BUILDS, WAIT_SECONDS)
        erased.require_proof()
    except Exception as error:
        known = next((one for one in requests.standing(get_settings().home) if one.path == request.path), request)
        return None, _struck_out(str(error) or type(error).__name__, known)
    return erased, ""


def _build(_: Warehouse) -> None:
    outcome = run_build(get_settings(), full_refresh=False, wait_seconds=WAIT_SECONDS)
    if not outcome.success:
        raise FootfallError(f"The build failed: {'; '.join(outcome.errors)}", "The run of build_warehouse says more.")


BUILDS = Builds(lambda it: make_plan(it).nothing_to_do, _build)


def _struck_out(text: str, request: Request) -> str:
    for word in sorted(request.words, key=len, reverse=True):
        text = text.replace(word, "***")
    return text


@dg.job(
    description="Erases everybody for whom a request stands open: noted by `footfall forget --later`, or begun and "
    "broken off. Their ids are in none of its records."
)
def forget_people() -> None:
    """Erase everybody for whom a request stands open."""
    erase_people()


@dg.schedule(
    job=forget_people,
    cron_schedule="0 3 * * *",
    execution_timezone="UTC",
    description="Erases whoever is noted to be forgotten; starts no run if that is nobody.",
)
def daily_forgetting(_context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for a run if any request stands open."""
    if not requests.standing(get_settings().home):
        return dg.SkipReason("Nobody is to be forgotten.")
    return dg.RunRequest()
