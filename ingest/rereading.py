"""Lines that are in the warehouse, read by a contract: those of another tracker than the rest of their file, and those
of loads whose contract says something else today.

A reading again is a load like any other: it supersedes the one before, and keeps its place in the order of loads.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from clickhouse_connect.driver.client import Client

from ingest import cuts, erasures, findings, ledger, row_counts, sending
from ingest.ledger import Load
from ingest.limits import is_refused
from ingest.reading import LEFT, Reading
from ingest.recognition import Recognition, options_of
from ingest.tables import table_named
from warehouse.connection import Warehouse


@dataclass(frozen=True)
class Reread:
    """A load that was read again: before and after; `problem` says why the reading before goes on to stand."""

    before: Load
    after: Load
    problem: str = ""

    @property
    def sentence(self) -> str:
        """What became of it, in a line."""
        if self.problem:
            return f"{self.before.path}: {self.problem}; it stays as it was read before"
        rows = f"{self.after.rows_accepted:,} rows accepted ({self.after.contract})"
        return f"{self.after.path}: {rows}, {self.after.rows_rejected:,} rejected; before {_counts(self.before)}"


def parameters_of(raw: str, load: Load, lines_of: str = "", only: str = "") -> dict[str, object]:
    """What a statement that reads the rows of a load is told beside its own parameters.

    `lines_of` is the load whose lines are read, '' if they come from a file; `only` is a pattern of those that are.
    """
    return {
        "raw": raw,
        "load_id": load.load_id,
        "path": load.path,
        "now": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
        "keeps_lines": str(int(lines_of != load.load_id)),
        "lines_of": lines_of,
        "only": only,
    }


def read_others(
    warehouse: Warehouse,
    client: Client,
    load: Load,
    recognition: Recognition,
    done: Reading,
    stop: Callable[[], None],
) -> list[str]:
    """Read the rows that the first reading of a load left, from its lines: those in which it did not look for
    everything, and those of other trackers.

    Returns the names of the contracts of the latter. `stop` ends the statements of the load on the server.
    """
    raw = warehouse.settings.raw_database
    own = done.contract.name
    left = findings.left_trackers(client, raw, load.load_id)
    if LEFT in left:
        _read(warehouse, load, load.load_id, recognition, own, stop, only=done.left)
        left = findings.left_trackers(client, raw, load.load_id)
    names = [name for tracker in left if tracker != LEFT and (name := recognition.named(tracker)) != own]
    for name in names:
        _read(warehouse, load, load.load_id, recognition, name, stop)
    return names


def with_contract(load: Load, recognition: Recognition, names: Sequence[str]) -> Load:
    """The load, and what its rows were read by."""
    return replace(
        load,
        contract=",".join(sorted(names)),
        contract_hash=recognition.hash(names),
        options=recognition.options.text(recognition.columns),
    )


def is_outdated(warehouse: Warehouse, load: Load) -> bool:
    """Whether a contract that the rows of a load were read by says something else today, or another one is theirs.

    Raises UsageError for a contract that is not there any more or cannot be used.
    """
    if not load.contract_hash:
        return False
    return _recognition(warehouse, load).hash(load.contract.split(",")) != load.contract_hash


def outdated(warehouse: Warehouse, client: Client) -> list[Load]:
    """The loads that stand and would be read otherwise today, in the order they were committed."""
    known: dict[tuple[str, str, str], str] = {}
    found = []
    for load in ledger.standing(client, warehouse.settings.raw_database):
        alike = (load.table, load.options, load.contract)
        if alike not in known:
            known[alike] = _recognition(warehouse, load).hash(load.contract.split(","))
        if known[alike] != load.contract_hash:
            found.append(load)
    return found


def read_again(warehouse: Warehouse, client: Client) -> Iterator[Reread]:
    """Read the lines of outdated loads again, load by load; whoever calls this holds the writer lock.

    A reading that rejects more rows than a load may (FOOTFALL_MAX_REJECTED_SHARE) is not committed: the one before goes
    on to stand.
    """
    raw = warehouse.settings.raw_database
    for before in outdated(warehouse, client):
        ledger.remove_remains(client, raw, before.table)
        yield _read_again(warehouse, client, before)


def _read_again(warehouse: Warehouse, client: Client, before: Load) -> Reread:
    raw = warehouse.settings.raw_database
    recognition = _recognition(warehouse, before)
    new = ledger.new_load(before.table, before.path, before.partition)
    new = replace(new, load_order=before.load_order, content_hash=before.content_hash)
    load = ledger.begun(client, raw, new)

    def stop() -> None:
        ledger.stop(client, raw, load.load_id)

    first = next((name for name in before.contract.split(",") if name in recognition.known), recognition.general)
    _read(warehouse, load, before.load_id, recognition, first, stop)
    others = read_others(warehouse, client, load, recognition, recognition.reading(first), stop)
    load = with_contract(load, recognition, [first, *others])
    erasures.drop_rows(client, raw, load)
    cuts.drop_rows(client, raw, load)
    load, reasons = row_counts.counted(client, raw, load, [before])
    if load.rows_rejected > before.rows_rejected and is_refused(table_named(load.table), load):
        ledger.remove(client, raw, [before.table, *ledger.OF_ALL_TABLES], [load.load_id])
        return Reread(before, before, f"{load.rows_rejected:,} of {_rows(load):,} rows would be rejected: {reasons}")
    after = ledger.commit(client, raw, load, [before])
    # the same text stands under the new load
    ledger.remove(client, raw, ["lines"], [before.load_id])
    return Reread(before, after)


def _counts(load: Load) -> str:
    return f"{load.rows_accepted:,} and {load.rows_rejected:,}"


def _rows(load: Load) -> int:
    return load.rows_accepted + load.rows_rejected


def _recognition(warehouse: Warehouse, load: Load) -> Recognition:
    options, columns = options_of(load.options)
    return Recognition(warehouse.settings, table_named(load.table), options, columns)


def _read(
    warehouse: Warehouse,
    load: Load,
    lines_of: str,
    recognition: Recognition,
    name: str,
    stop: Callable[[], None],
    only: str = "",
) -> None:
    raw = warehouse.settings.raw_database
    statement = recognition.reading(name).kept_lines()
    parameters = parameters_of(raw, load, lines_of, only) | statement.parameters
    query_id = f"{ledger.query_id(raw, load.load_id)}-{name}"
    sending.insert(warehouse, query_id, statement.sql, parameters, [sending.Body(iter(()))], stop)
