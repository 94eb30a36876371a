"""`footfall build`: the job build_warehouse, in this process."""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cli.console import err, out, output_into, progress
from cli.errors import first_clickhouse_line
from warehouse.connection import Warehouse, connect
from warehouse.errors import FootfallError
from warehouse.lock import exclusive
from warehouse.settings import Settings, get_settings

if TYPE_CHECKING:
    from orchestration.plan import Plan
    from orchestration.run import BuildOutcome


class _Shown(logging.Handler):
    """Shows what the orchestration says as it says it; how far it is only on a terminal, in one line that changes."""

    def __init__(self, how_far: Callable[[str], None]) -> None:
        super().__init__()
        self._how_far = how_far

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.INFO:
            err().print(record.getMessage())
        else:
            self._how_far(record.getMessage())


def run_build(*, full_refresh: bool) -> None:
    """Build what waits; raises FootfallError if the build failed (nothing is published then)."""
    with connect(get_settings()) as warehouse:
        started = time.monotonic()
        if build(warehouse, full_refresh=full_refresh) is None:
            return
        out().print(
            f"Published {warehouse.settings.database} in {time.monotonic() - started:.1f} s. See: footfall status"
        )
        if told := _of_nobody(warehouse):
            out().print(told)


def _of_nobody(warehouse: Warehouse) -> str:
    """The share of new events that carry no id that means anybody; empty if there are none."""
    from orchestration import nobodys_events

    with warehouse.client() as client:
        of_nobody, events = nobodys_events.count(client, warehouse)
    if not of_nobody:
        return ""
    share = f"{of_nobody:,} of {events:,} new events ({of_nobody / events:.1%})"
    return f"{share} are of nobody: they carry no id of anybody."


def run_dry(*, full_refresh: bool) -> None:
    """Print what a build would do and why; changes nothing."""
    from ingest import rereading
    from orchestration.plan import make_plan

    with connect(get_settings()) as warehouse:
        plan = make_plan(warehouse, full_refresh=full_refresh)
        with warehouse.client() as client:
            outdated = len(rereading.outdated(warehouse, client))
    if outdated:
        out().print(f"Would read {outdated} load{'s' * (outdated > 1)} again: what their contracts say has changed.")
    for line in _forecast(plan):
        out().print(line, markup=False)


def _forecast(plan: "Plan") -> Iterator[str]:
    if plan.nothing_to_do:
        yield _nothing(plan)
        return
    if plan.waiting:
        yield f"Would build {plan.waiting} load{'' if plan.waiting == 1 else 's'}, up to number {plan.to_seq}."
    if plan.full_refresh:
        yield f"Would rebuild all tables: {plan.reason}."
    elif plan.rebuild:
        yield f"Would rebuild {len(plan.rebuild)} of {len(plan.parts) - 1} models, and keep the others:"
    reasons: dict[str, list[str]] = {}
    for name, why in plan.rebuild.items():
        reasons.setdefault(why, []).append(name)
    for why, names in reasons.items():
        yield f"  {', '.join(names)}: {why}"
    for name in plan.removed:
        yield f"  {name}: removed"


def _nothing(plan: "Plan") -> str:
    return "Nothing has been loaded yet." if plan.to_seq == 0 else "Nothing to build: everything is published."


def build(warehouse: Warehouse, *, full_refresh: bool = False) -> "BuildOutcome | None":
    """Run the job on a connected warehouse; None if there was nothing to build, which is seen without Dagster.

    Raises FootfallError if the build failed.
    """
    from orchestration import build_log
    from orchestration.plan import make_plan

    with exclusive(warehouse, "build"):
        build_log.settle(warehouse, full_refresh=full_refresh)
        plan = make_plan(warehouse, full_refresh=full_refresh)
    if plan.nothing_to_do:
        nothing = "Nothing has been loaded yet." if plan.to_seq == 0 else "Nothing to build: everything is published."
        out().print(nothing)
        return None

    log = warehouse.settings.home / "logs" / "build.log"
    outcome = _run_job(warehouse.settings, full_refresh, log)
    logged = {each.build_id: each.status for each in build_log.builds(warehouse)}
    if outcome.success and outcome.run_id not in logged:
        out().print("Nothing to build: another command has published everything meanwhile.")
        return None
    if not outcome.success or logged[outcome.run_id] != "published":
        raise _failure(warehouse, outcome, log)
    return outcome


def _run_job(settings: Settings, full_refresh: bool, log: Path) -> "BuildOutcome":
    from orchestration.progress import progress as build_progress

    # Dagster and dbt take seconds to start: say at once that something happens.
    err().print("Starting the job build_warehouse")
    with output_into(log), progress(err(), "starting") as how_far:
        handler = _Shown(how_far)
        build_progress.addHandler(handler)
        try:
            from orchestration.run import run_build

            return run_build(settings, full_refresh=full_refresh)
        finally:
            build_progress.removeHandler(handler)


def _failure(warehouse: Warehouse, outcome: "BuildOutcome", log: Path) -> FootfallError:
    from orchestration import build_log
    from warehouse import publishing

    try:
        failed = build_log.get(warehouse, outcome.run_id).failed_checks
    except KeyError:  # it ended before it began: someone else is writing, the disk is full, ...
        failed = ()
    reasons = list(failed) or [first_clickhouse_line(error) for error in outcome.errors] or ["the job did not say why"]
    more = f"; and {len(reasons) - 3} more" if len(reasons) > 3 else ""
    settings = warehouse.settings
    if publishing.standing(warehouse).published.build_id == outcome.run_id:
        return FootfallError(
            f"The build stopped while it was being published: {'; '.join(reasons[:3]).rstrip('.')}{more}.",
            f"If the swap is not finished, tables in {settings.database} are of two versions until the next `footfall"
            f" build` or `footfall rollback` has finished it, which it does first of all. The full log is {log}.",
        )
    return FootfallError(
        f"The build failed and nothing was published: {'; '.join(reasons[:3]).rstrip('.')}{more}.",
        f"{settings.database} is as it was; what was built is in {settings.next_database}, the full log is {log}.",
    )
