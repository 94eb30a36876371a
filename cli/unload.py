"""`footfall unload`: withdraw loads. The ledger gets a line more; the next build removes their rows."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from clickhouse_connect.driver.client import Client

from cli.console import out
from ingest import commands, cuts, erasures, ledger
from warehouse.connection import Warehouse, connect
from warehouse.errors import UsageError
from warehouse.lock import exclusive
from warehouse.settings import get_settings

# Loads that take rows out of the disk.
_FOR_GOOD = (erasures.ERASURES, cuts.CUTS)


def run_unload(names: Sequence[str], *, dry_run: bool) -> None:
    """Withdraw the loads that the names mean and print a line for each.

    Raises UsageError, before anything is withdrawn, if a name means no load at all.
    """
    settings = get_settings()
    with connect(settings) as warehouse, nullcontext() if dry_run else exclusive(warehouse, "unload"):
        found = loads_of(warehouse, names)
        standing = [load for load in found if load.stands and load.table not in _FOR_GOOD]
        for load in found:
            if load not in standing:
                out().print(f"skipped    {_called(load)}: {_why_not(load)}")
        if not dry_run:
            with warehouse.client() as client:
                ledger.withdraw(client, settings.raw_database, standing)
    if not standing:
        out().print("Nothing to withdraw.")
        return
    for load in standing:
        what = "would go  " if dry_run else "withdrawn "
        out().print(f"{what} {_called(load)}: {load.rows_accepted:,} rows of {load.table}")
    days = sorted({load.partition for load in standing if load.partition})
    if days:
        out().print(
            f"From the landing folder ({', '.join(days)}): take the files away there as well, or the next load of"
            f" {'this day' if len(days) == 1 else 'these days'} brings them back."
        )
    if not dry_run:
        out().print("The next footfall build removes the rows from all tables.")


def loads_of(warehouse: Warehouse, names: Sequence[str]) -> list[ledger.Load]:
    """What the ledger holds under these numbers, ids, files and folders, in the order it was committed.

    Raises UsageError for a name that means nothing there.
    """
    raw = warehouse.settings.raw_database
    found: dict[str, ledger.Load] = {}
    if not warehouse.has_table(raw, "loads"):
        raise UsageError("Nothing has been loaded yet.", "footfall load events PATH loads something.")
    with warehouse.client() as client:
        for name in names:
            loads = _loads_of(client, raw, name)
            if not loads:
                raise UsageError(
                    f"No load has the number, id or path {name!r}; nothing was withdrawn.", "footfall loads lists them."
                )
            found |= {load.load_id: load for load in loads}
    return sorted(found.values(), key=lambda load: load.load_seq)


def _loads_of(client: Client, raw: str, name: str) -> list[ledger.Load]:
    named = ledger.called(client, raw, name)
    if named:
        return named
    if commands.is_path(name):
        below = [load for load in ledger.below(client, raw, name) if load.path == name]
    else:
        below = ledger.below(client, raw, str(Path(name).absolute()))
    # of a path only what there is to withdraw, if anything: it may have been loaded and withdrawn many times
    return [load for load in below if load.stands] or below[-1:]


def _called(load: ledger.Load) -> str:
    return f"{load.load_seq} {load.path}" if load.load_seq else f"{load.load_id} {load.path}"


def _why_not(load: ledger.Load) -> str:
    if not load.load_seq:
        return "it failed, nothing of it is there"
    if load.is_withdrawal:
        return "it is itself a withdrawal; load the file again to bring its rows back"
    if load.table in _FOR_GOOD:
        return "what it took is gone"
    return f"it no longer counts, since {load.superseded_seq}"
