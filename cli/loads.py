"""`footfall loads`: the ledger, newest first."""

from collections.abc import Sequence

from cli.console import err, out, print_table
from ingest import ledger
from warehouse.connection import connect
from warehouse.settings import get_settings

_COLUMNS = ("Load", "Id", "Table", "Path", "Day", "Accepted", "Rejected", "Duplicate", "Status", "When (UTC)")
_NUMBERS = {"Load", "Accepted", "Rejected", "Duplicate"}


def run_loads(table: str, tenant: str, limit: int) -> None:
    """Print at most `limit` lines (0: all) of the ledger: of a raw table and a tenant, if these are given."""
    from orchestration.plan import published_seq

    with connect(get_settings()) as warehouse:
        raw = warehouse.settings.raw_database
        if not warehouse.has_table(raw, "loads"):
            out().print("Nothing has been loaded yet.")
            return
        with warehouse.client() as client:
            everything = ledger.newest_first(client, raw)
            found = ledger.newest_first(client, raw, table=table, tenant=tenant) if table or tenant else everything
        built_seq = published_seq(warehouse) or 0
    if not found:
        out().print("No load matches." if everything else "Nothing has been loaded yet.")
        return
    withdrawals = {line.load_seq for line in everything if line.is_withdrawal}
    shown = found[:limit] if limit else found
    print_table(_COLUMNS, [_row(load, built_seq, withdrawals) for load in shown], right=_NUMBERS)
    if len(shown) < len(found):
        err().print(f"These are the newest {len(shown)} of {len(found):,}; --limit 0 shows all.")


def _row(load: ledger.Load, built_seq: int, withdrawals: set[int]) -> Sequence[str]:
    return (
        str(load.load_seq) if load.load_seq else "",
        load.load_id,
        load.table,
        load.path,
        load.partition,
        f"{load.rows_accepted:,}",
        f"{load.rows_rejected:,}",
        f"{load.rows_duplicate:,}",
        _status(load, built_seq, withdrawals),
        f"{load.committed_at:%Y-%m-%d %H:%M:%S}",
    )


def _status(load: ledger.Load, built_seq: int, withdrawals: set[int]) -> str:
    """What became of a load: in words of `footfall load` and `footfall unload`."""
    if not load.load_seq:
        return "failed"
    changed_at = max(load.load_seq, load.superseded_seq)
    waits = ", waits to be built" if changed_at > built_seq else ""
    if load.is_withdrawal:
        return f"withdrawal{waits}"
    if load.superseded_seq:
        how = "withdrawn" if load.superseded_seq in withdrawals else "superseded"
        return f"{how} by {load.superseded_seq}{waits}"
    return f"loaded{waits}"
