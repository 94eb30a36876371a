"""A sync: all tables of a source read at one moment, compared with what is known, and committed at once.

It is one load of raw.source_rows, which says at least when the source was read, and one of raw.events if calls came. A
sync that breaks off leaves nothing that anybody reads, and the next one begins where the last one ended.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from ingest import commands, cuts, erasures, ledger, raw_tables, row_counts
from ingest.file_problem import FileProblem
from ingest.sources import events, files, landing
from ingest.sources.contract import SourceContract, SourceTable
from ingest.sources.postgres import FoundTable, Place, Source, opened
from ingest.sources.scrubbing import scrubbed
from ingest.tables import EVENTS
from warehouse.connection import Warehouse
from warehouse.errors import FootfallError

_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f", "\0": "\\0"})
_CURSOR = """
    SELECT argMax(cursor_to, load_id)
    FROM {raw:Identifier}.source_syncs
    WHERE
        source = {source:String}
        AND `table` = {table:String}
        AND cursor_to != ''
        AND load_id IN (SELECT load_id FROM {raw:Identifier}.loads FINAL WHERE status = 'committed')
"""
_READ_AT = """
    SELECT source, max(read_at)
    FROM {raw:Identifier}.source_syncs
    WHERE load_id IN (SELECT load_id FROM {raw:Identifier}.loads FINAL WHERE status = 'committed')
    GROUP BY source
"""

Rows = Iterator[tuple[str | None, ...]]


@dataclass(frozen=True)
class Synced:
    """What came of one table: rows that were read, that are new or otherwise, and that are gone; events that were made
    of them, and rows that none could be made of.
    """

    source: str
    table: SourceTable
    read_at: datetime
    seen: int
    changed: int
    deleted: int
    events: int
    rejected: int
    cursor_from: str = ""
    cursor_to: str = ""

    @property
    def sentence(self) -> str:
        """What is said of it: `mcp_obs.mcp_server: 12 rows, 1 changed, 0 deleted`."""
        parts = [f"{self.source}.{self.table.name}: {self.seen:,} row{'' if self.seen == 1 else 's'}"]
        if self.table.keeps_rows:
            parts += [f"{self.changed:,} changed", f"{self.deleted:,} deleted"]
        if self.table.event:
            parts += [f"{self.events:,} new event{'' if self.events == 1 else 's'}", f"{self.rejected:,} rejected"]
        return ", ".join(parts)


@dataclass(frozen=True)
class Options:
    """How to sync. `full` reads what is appended from its beginning on, `without` leaves tables out, `accept_deletes`
    believes a source that lost much of its rows, `timezone` is that of times without one. `read_at` is when a file was
    exported; now, if nobody says.
    """

    full: bool = False
    accept_deletes: bool = False
    without: Collection[str] = ()
    timezone: str = "UTC"
    read_at: datetime | None = None


def sync(warehouse: Warehouse, contract: SourceContract, place: Place, options: Options) -> list[Synced]:
    """Read a source and commit what changed. The caller holds the writer lock.

    Raises FootfallError if the source is away, lacks a column or a grant, or lost so many rows that something must be
    wrong; nothing is committed then.
    """
    with opened(place) as source, _begun(warehouse, contract, options) as one:
        found = source.tables(contract)
        tables = [table for table in _in_order(contract) if table.name in found and table.name not in options.without]
        _require(place, contract, found, tables)
        latest = {table.name: source.latest(found[table.name]) for table in tables if table.cursor}
        _require_one_of_calls(contract, [table for table in tables if not table.keeps_rows and latest[table.name]])
        for table in tables:
            one.read_table(source, found[table.name], latest.get(table.name, ""))
        return one.commit()


def load_file(
    warehouse: Warehouse, contract: SourceContract, table: SourceTable, path: Path, options: Options
) -> Synced:
    """The same for one table out of a file, which is a whole snapshot of it. A file that says nothing new, and was
    exported no later than what is known, is not loaded. Raises FootfallError as `sync` does.
    """
    known = read_at(warehouse).get(contract.name)
    with _begun(warehouse, contract, options) as one:
        try:
            one.read(table, files.rows(path, table))
        except FileProblem as problem:
            raise FootfallError(f"{path}: {problem}") from None
        is_old = options.read_at is not None and known is not None and options.read_at <= known
        return one.give_up()[0] if is_old and not one.brought_anything else one.commit()[0]


def read_at(warehouse: Warehouse) -> dict[str, datetime]:
    """When each source was read last."""
    raw_tables.create(warehouse)
    with warehouse.client() as client:
        rows = client.query(_READ_AT, parameters={"raw": warehouse.settings.raw_database}).result_rows
    return {source: moment.replace(tzinfo=UTC) for source, moment in rows}


class _Sync:
    """One sync, from its two loads to their commit; see `_begun`."""

    def __init__(self, warehouse: Warehouse, client: Client, contract: SourceContract, options: Options) -> None:
        self._warehouse = warehouse
        self._client = client
        self._contract = contract
        self._options = options
        self._raw = raw = warehouse.settings.raw_database
        path = commands.path_of("sync", contract.name)
        self._rows = ledger.begun(client, raw, ledger.new_load(landing.SOURCE_ROWS, path))
        self._events = ledger.begun(client, raw, ledger.new_load(EVENTS, path))
        self._read_at = options.read_at or datetime.now(UTC)
        self._done: list[Synced] = []

    def read_table(self, source: Source, found: FoundTable, latest: str) -> None:
        """Read a table of the database; `latest` is the latest cursor that it has."""
        table = found.table
        since = "" if self._options.full or not table.cursor else self._cursor(table)
        if any(column.kind == "json" for column in table.columns.values()):
            self.read(table, source.rows(found, since), since, latest)
        else:
            self._land(table, source.text(found, since), since, latest)

    def read(self, table: SourceTable, rows: Rows, since: str = "", latest: str = "") -> None:
        """Read rows of texts; JSON is scrubbed on the way."""
        is_json = [column.kind == "json" for column in table.columns.values()]
        self._land(table, (_line(row, is_json) for row in rows), since, latest)

    def _land(self, table: SourceTable, text: Iterator[bytes], since: str, latest: str) -> None:
        name, client, raw = self._contract.name, self._client, self._raw

        def stop() -> None:
            ledger.stop(client, raw, self._rows.load_id)

        landing.read_snapshot(self._warehouse, self._rows, name, table, text, self._options.timezone, stop)
        if table.keeps_rows:
            erasures.delete_source_rows(client, raw, "source_snapshot")
            accepts = self._options.accept_deletes
            landed = landing.land(client, raw, self._rows, name, table, accept_deletes=accepts)
        else:
            landed = landing.Landed(landing.rows_seen(client, raw, name, table), 0, 0)
        new, rejected = 0, 0
        if table.event:
            full = self._options.full
            new, rejected = events.write(client, raw, self._events, self._rows, name, table, full=full)
        counts = (landed.seen, landed.changed, landed.deleted, new, rejected)
        self._done.append(Synced(name, table, self._read_at, *counts, since, latest or since))

    @property
    def brought_anything(self) -> bool:
        """Whether anything is otherwise than before."""
        return any(one.changed or one.deleted or one.events or one.rejected for one in self._done)

    def give_up(self) -> list[Synced]:
        """Leave all as it was."""
        landing.remove_remains(self._client, self._raw)
        ledger.remove_remains(self._client, self._raw, EVENTS)
        return self._done

    def commit(self) -> list[Synced]:
        """Commit what was read, all at once; also that there was nothing new, for it says when that was."""
        client, raw = self._client, self._raw
        client.insert(
            "source_syncs",
            [
                [
                    self._rows.load_id, one.source, one.table.name, one.table.mode, one.read_at, one.seen,
                    one.changed if one.table.keeps_rows else one.events, one.deleted, one.rejected, one.cursor_from,
                    one.cursor_to,
                ]
                for one in self._done
            ],
            database=raw,
        )  # fmt: skip
        loads = [
            replace(
                self._rows,
                content_hash=self._rows.load_id,
                rows_accepted=sum(one.changed + one.deleted for one in self._done),
            )
        ]
        if any(one.events or one.rejected for one in self._done):
            erasures.drop_rows(client, raw, self._events)
            cuts.drop_rows(client, raw, self._events)
            counted, _ = row_counts.counted(client, raw, self._events, [])
            loads.append(replace(counted, content_hash=counted.load_id))
        ledger.commit_together(client, raw, loads)
        return self._done

    def _cursor(self, table: SourceTable) -> str:
        names = {"raw": self._raw, "source": self._contract.name, "table": table.name}
        return str(self._client.query(_CURSOR, parameters=names).first_row[0])


@contextmanager
def _begun(warehouse: Warehouse, contract: SourceContract, options: Options) -> Iterator[_Sync]:
    """A sync, after what an earlier one left is removed."""
    raw_tables.create(warehouse)
    raw = warehouse.settings.raw_database
    with warehouse.client() as client:
        landing.remove_remains(client, raw)
        ledger.remove_remains(client, raw, EVENTS)
        try:
            yield _Sync(warehouse, client, contract, options)
        finally:
            with suppress(ClickHouseError):  # what is left there is removed by the next sync
                client.command("TRUNCATE TABLE {raw:Identifier}.source_snapshot", parameters={"raw": raw})


def _in_order(contract: SourceContract) -> list[SourceTable]:
    """Events behind the servers that they are of."""
    return sorted(contract.tables.values(), key=lambda table: bool(table.event))


def _require(
    place: Place, contract: SourceContract, found: dict[str, FoundTable], tables: Sequence[SourceTable]
) -> None:
    if not tables:
        raise FootfallError(
            f"The source {place.name} has none of the tables that are read: {', '.join(contract.tables)}.",
            f"Is {place.variable} the right database, and may the role see them?"
            f" `footfall sources grants {place.name}` prints the grants that it needs.",
        )
    for table in tables:
        one = found[table.name]
        if one.missing:
            raise FootfallError(
                f"{one.schema}.{one.name} has no column for {', '.join(one.missing)}.",
                f"Nothing was loaded. `footfall sources check {place.name}` says what is there; a contract of your own"
                f" in sources/ of the home may spell it otherwise.",
            )
        if one.refused:
            raise FootfallError(
                f"The role may not read {', '.join(one.refused)} of {one.schema}.{one.name}.",
                f"Nothing was loaded. `footfall sources grants {place.name}` prints the grants that it needs.",
            )


def _require_one_of_calls(contract: SourceContract, tables: Sequence[SourceTable]) -> None:
    """Two streams of the same calls would count each of them twice."""
    if len(tables) > 1:
        names = [table.name for table in tables]
        raise FootfallError(
            f"{contract.name} has calls in {' and in '.join(names)}, which may well be the same ones.",
            f"Say which not to read: --without {names[-1]}.",
        )


def _line(row: tuple[str | None, ...], is_json: Sequence[bool]) -> bytes:
    """A row as tab separated text."""
    values = (scrubbed(value) if of else value for value, of in zip(row, is_json, strict=True))
    return ("\t".join("\\N" if value is None else value.translate(_ESCAPED) for value in values) + "\n").encode()
