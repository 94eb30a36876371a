"""`footfall retention-policies`: for how long what is kept."""

from datetime import UTC, date, datetime

from cli.build import build
from cli.console import err, out, print_table
from orchestration.plan import make_plan
from privacy import retention
from privacy.erasure import Builds
from privacy.retention import Due, Policy
from warehouse.connection import Warehouse, connect
from warehouse.errors import UsageError
from warehouse.settings import get_settings


def run_list() -> None:
    """Print all policies."""
    with connect(get_settings()) as warehouse:
        found = retention.policies(warehouse)
    if not found:
        out().print("Everything is kept. `footfall retention-policies set` says for how long instead.")
        return
    rows = [[policy.tenant or "(all others)", policy.what, _days(policy.keep_days)] for policy in found]
    print_table(["tenant", "what", "kept"], rows)


def run_set(tenant: str, what: str, keep_days: int) -> None:
    """Set a policy."""
    with connect(get_settings()) as warehouse:
        retention.set_policy(warehouse, Policy(tenant, what, keep_days))
    out().print(f"{what} of {retention.named(tenant)}: kept {_days(keep_days)}.")
    if keep_days:
        out().print("`footfall retention-policies apply --dry-run` says what would go.")


def run_remove(tenant: str, what: str) -> None:
    """Remove a policy. Raises FootfallError if there is none."""
    with connect(get_settings()) as warehouse:
        retention.remove_policy(warehouse, tenant, what)
    out().print(f"{what} of {retention.named(tenant)}: no policy any more. What was cut stays cut.")


def run_apply(as_of: date | None, *, dry_run: bool) -> None:
    """Cut what the policies call for, or say what that is. Raises FootfallError if a build fails."""
    today = datetime.now(UTC).date()
    if as_of and as_of > today:
        raise UsageError(f"{as_of} is to come.", "What is cut is gone: give a day that is not later than today.")
    with connect(get_settings()) as warehouse:
        if dry_run:
            _say(retention.due(warehouse, as_of or today), "would go")
            return
        builds = Builds(lambda it: make_plan(it).nothing_to_do, _build)
        cut, files = retention.apply(warehouse, as_of or today, builds)
    for path in files:
        err().print(f"{path} holds rows that were cut, and is not rewritten: take them out there, or remove it.")
    _say(cut, "cut")


def _say(cuts: list[Due], what: str) -> None:
    for one in cuts:
        out().print(f"{what:<10} {one.sentence}")
    if not cuts:
        out().print("Nothing is older than it is kept.")


def _days(keep_days: int) -> str:
    return f"{keep_days:,} day{'' if keep_days == 1 else 's'}" if keep_days else "for ever"


def _build(warehouse: Warehouse) -> None:
    build(warehouse, full_refresh=False)
