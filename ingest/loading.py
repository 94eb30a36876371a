"""Files into the raw tables. Python streams bytes; the warehouse parses, validates and writes, in one pass.

Whoever calls this holds the warehouse's writer lock, so rows without a row in the ledger are the remains of a crash.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import replace as replaced
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import Path
from threading import Lock

import httpx
import orjson
from clickhouse_connect.driver.binding import format_bind_value
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from ingest import csv_rows, files, ledger, parquet_rows, raw_tables, sql_text
from ingest.spellings import EVENTS, Table, table_named
from warehouse.connection import Warehouse
from warehouse.errors import UsageError

# Of a file with more rejected rows than this share something else is wrong than a few rows.
MAX_REJECTED_SHARE = 0.1

# Streams of one big file at a time; more than a server's cores are of no use, and each takes memory there.
_STREAMS = min(os.cpu_count() or 1, 4)

_SETTINGS = {
    "async_insert": "0",
    "max_partitions_per_insert_block": "0",
    "output_format_json_escape_forward_slashes": "0",
    # 64-bit numbers keep being numbers in what columns are made into
    "output_format_json_quote_64bit_integers": "0",
    "output_format_json_quote_decimals": "0",
    "wait_end_of_query": "1",
    # a statement grows with the columns of a file
    "max_ast_elements": "1000000",
    "max_expanded_ast_elements": "10000000",
    # smaller blocks than usual: the rows are wide, and several streams have some in memory at a time
    "min_insert_block_size_rows": "262144",
    "min_insert_block_size_bytes": str(128 << 20),
}

Progress = Callable[[Path, int], None]


@dataclass(frozen=True)
class LoadResult:
    """What became of one file. `reason` says why it was skipped or failed, or why rows were rejected.

    `may_heal` says of a failed one that the warehouse was at fault, not the file.
    """

    path: Path
    status: str
    rows_accepted: int = 0
    rows_rejected: int = 0
    rows_duplicate: int = 0
    load_id: str = ""
    load_seq: int = 0
    reason: str = ""
    may_heal: bool = False


class _Count:
    """How many bytes of a file are on their way, over all its streams."""

    def __init__(self, path: Path, on_progress: Progress | None) -> None:
        self._path = path
        self._on_progress = on_progress
        self._done = 0
        self._lock = Lock()

    def counted(self, body: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in body:
            yield chunk
            with self._lock:
                self._done += len(chunk)
                if self._on_progress:
                    self._on_progress(self._path, self._done)


def max_rejected_share() -> float:
    """The share of rejected rows above which a file is not committed: FOOTFALL_MAX_REJECTED_SHARE, else 10 %.

    Raises UsageError if that is no number from 0 to 1.
    """
    given = os.environ.get("FOOTFALL_MAX_REJECTED_SHARE") or str(MAX_REJECTED_SHARE)
    with suppress(ValueError):
        share = float(given)
        if 0 <= share <= 1:
            return share
    raise UsageError(
        f"FOOTFALL_MAX_REJECTED_SHARE is {given!r}, which is no number from 0 to 1.", "Give a share such as 0.1."
    )


def load_paths(
    warehouse: Warehouse,
    table: str,
    paths: Sequence[Path],
    *,
    tenant: str = "",
    mapping: Mapping[str, str] | None = None,
    replace: bool = False,
    on_progress: Progress | None = None,
) -> Iterator[LoadResult]:
    """Load files and folders, one load per file, and say of each what became of it; a failure stops no other file.

    `tenant` is for rows that name none; `mapping` gives fields a column name of the file's own; with `replace` earlier
    loads of the same path are superseded. Raises UsageError for a path that is not there, paths without any file or a
    field that does not exist, before anything is loaded.
    """
    target = table_named(table)
    target.mapped(mapping or {})
    found = files.find([Path(path) for path in paths])
    if not found:
        raise UsageError(
            f"There is no file to load in {', '.join(map(str, paths))}.",
            f"Footfall reads {', '.join(files.KINDS)}, plain or with {' or '.join(files.COMPRESSIONS)} behind.",
        )
    loader = Loader(warehouse, target, tenant, dict(mapping or {}), on_progress)
    return loader.load_all(found, replace=replace)


class Loader:
    """Loads files of one table with one set of options, all on one connection."""

    def __init__(
        self,
        warehouse: Warehouse,
        table: Table,
        tenant: str = "",
        mapping: Mapping[str, str] | None = None,
        on_progress: Progress | None = None,
    ) -> None:
        self._warehouse = warehouse
        self._table = table
        self._tenant = tenant
        self._mapping = dict(mapping or {})
        self._on_progress = on_progress
        self._raw = warehouse.settings.raw_database
        self._limit = 0.0 if table.any_rejection_fails else max_rejected_share()
        self._is_clean = False

    def load_all(self, paths: Sequence[Path], *, replace: bool = False, partition: str = "") -> Iterator[LoadResult]:
        """Load files in order; see load_paths."""
        raw_tables.create(self._warehouse)
        with self._warehouse.client() as client:
            for path in paths:
                yield self.load(client, path, replace=replace, partition=partition)

    def load(self, client: Client, path: Path, *, replace: bool, partition: str = "") -> LoadResult:
        """Load one file. What goes wrong with it is in the result, not raised."""
        load = ledger.new_load(ledger.new_load_id(), self._table.name, str(path.absolute()), partition)
        has_begun = False
        try:
            self._remove_remains(client)
            kind = files.kind_of(path)
            before = files.state_of(path)
            content = files.first_pass(path, kind)
            load = replaced(load, content_hash=self._content_hash(content.content_hash, partition))
            alike = ledger.alike(client, self._raw, self._table.name, load.content_hash, load.path)
            same = [other for other in alike if other.content_hash == load.content_hash]
            # a load without a hash says only that a file vanished: nothing to supersede
            of_path = [other for other in alike if other.path == load.path and other.content_hash]
            is_changed = any(other.content_hash != load.content_hash for other in of_path)
            # the path's loads go all together, one with the same content too: it is loaded anew
            superseded = of_path if replace and is_changed else []
            if same and not superseded:
                return LoadResult(path, "skipped", load_id=same[0].load_id, reason="already loaded, the same content")
            if not content.size:
                raise files.FileProblem("the file is empty, not one byte", "Export it again.")
            has_begun = True
            self._insert(path, kind, content, load.load_id)
            if files.state_of(path) != before:
                raise files.FileProblem("the file changed while it was being loaded", "Load it again.")
            load, reasons = self._counted(client, load, superseded)
        except files.FileProblem as problem:
            return self._failed(client, path, load, _sentence(problem), has_begun=has_begun)
        except (ClickHouseError, httpx.HTTPError, OSError) as error:
            return self._failed(client, path, load, self._plainly(error), has_begun=has_begun, may_heal=True)
        if load.rows_rejected > self._limit * (load.rows_accepted + load.rows_rejected):
            return self._refused(client, path, load, reasons)
        return self._committed(client, path, load, superseded, reasons)

    def _failed(
        self, client: Client, path: Path, load: ledger.Load, reason: str, *, has_begun: bool, may_heal: bool = False
    ) -> LoadResult:
        """Leave nothing of a load that broke off but its row in the ledger. If even that fails (a full disk, no
        warehouse), nobody reads what is left, and the next load removes it.
        """
        try:
            if has_begun:
                ledger.stop(client, self._raw, load.load_id)
                ledger.remove(client, self._raw, [self._table.name, "rejected_rows"], [load.load_id])
            # Remains are looked for behind the last load that the ledger knows: it must not know a later one yet.
            if self._is_clean:
                ledger.record_failure(client, self._raw, load)
        except (ClickHouseError, OSError):
            self._is_clean = False
        return LoadResult(path, "failed", load_id=load.load_id, reason=reason, may_heal=may_heal)

    def _refused(self, client: Client, path: Path, load: ledger.Load, reasons: str) -> LoadResult:
        """Too many rows were rejected: they stay, to be looked at, and the accepted ones go."""
        try:
            ledger.remove(client, self._raw, [self._table.name], [load.load_id])
            ledger.record_failure(client, self._raw, load)
        except (ClickHouseError, OSError):
            self._is_clean = False
        rows = load.rows_accepted + load.rows_rejected
        share = f"{load.rows_rejected:,} of {rows:,} rows were rejected, and the limit is {self._limit:.0%}"
        return LoadResult(path, "failed", 0, load.rows_rejected, 0, load.load_id, reason=f"{share}: {reasons}")

    def _committed(
        self, client: Client, path: Path, load: ledger.Load, superseded: Sequence[ledger.Load], reasons: str
    ) -> LoadResult:
        """From here on nothing of the load is removed again, because the commit may have reached the ledger even if
        its answer did not reach us. The next load asks the ledger.
        """
        try:
            load = ledger.commit(client, self._raw, load, superseded)
        except (ClickHouseError, OSError):
            self._is_clean = False
            reason = "the warehouse went away at the commit; it is not known whether it was committed, load it again"
            return LoadResult(path, "failed", load_id=load.load_id, reason=reason, may_heal=True)
        reason = reasons if load.rows_accepted + load.rows_rejected else "the file holds no rows"
        status = "superseded" if superseded else "loaded"
        return LoadResult(
            path, status, load.rows_accepted, load.rows_rejected, load.rows_duplicate, load.load_id, load.load_seq,
            reason,
        )  # fmt: skip

    def _remove_remains(self, client: Client) -> None:
        """Before the first file, and again after one whose rows could not be removed."""
        if not self._is_clean:
            ledger.remove_remains(client, self._raw, self._table.name)
            self._is_clean = True

    def _content_hash(self, of_file: str, partition: str) -> str:
        # The same bytes read with other options are other rows; so are the files of another landing day.
        options = orjson.dumps([self._table.name, self._tenant, sorted(self._mapping.items()), partition])
        return hashlib.sha256(of_file.encode() + options).hexdigest()

    def _insert(self, path: Path, kind: str, content: files.Content, load_id: str) -> None:
        """Send the file to the warehouse, a big one of lines in several streams at a time: one stream is one core."""
        options = (self._table, self._mapping, self._tenant)
        is_text = kind in ("lines", "json")
        if is_text and not files.is_documents(content.head, kind):
            statement = sql_text.insert_lines(*options)
            parts = files.parts(path, content, _STREAMS)
            self._send(path, load_id, statement, [(files.chunks_of(path, p), p.lines_before) for p in parts])
            return
        if is_text:
            statement, body = sql_text.insert_documents(*options), files.chunks(path)
        else:
            if kind == "csv":
                columns = csv_rows.columns_of(files.chunks(path), csv_rows.names_of(content.head))
            else:
                columns = parquet_rows.columns_of(path)
            self._check_header(columns.names)
            statement, body = sql_text.insert_columns(*options, columns.names, columns.types), columns.stream
        self._send(path, load_id, statement, [(body, 0)])

    def _send(
        self, path: Path, load_id: str, statement: sql_text.Statement, streams: Sequence[tuple[Iterator[bytes], int]]
    ) -> None:
        parameters: dict[str, object] = {
            **statement.parameters,
            "raw": self._raw,
            "load_id": load_id,
            "path": str(path.absolute()),
            "now": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
        }
        sql = f"{statement.sql}\n".encode()
        count = _Count(path, self._on_progress)
        with ThreadPoolExecutor(len(streams)) as pool:
            sent = [
                pool.submit(
                    self._post,
                    {
                        "query_id": f"{ledger.query_id(self._raw, load_id)}-{number}",
                        **_SETTINGS,
                        # the server keeps as much of the body in memory as a statement may have
                        "max_query_size": str(len(sql) + 1000),
                        **{f"param_{name}": _parameter(value) for name, value in parameters.items()},
                        "param_lines_before": str(lines_before),
                    },
                    # the statement goes before the data: an address has no room for that of many columns
                    chain([sql], count.counted(body if number else files.without_mark(body))),
                )
                for number, (body, lines_before) in enumerate(streams)
            ]
        for answer in sent:
            answer.result()

    def _post(self, query: dict[str, str], body: Iterator[bytes]) -> None:
        warehouse = self._warehouse
        try:
            with httpx.Client(timeout=None, trust_env=False) as http:
                answer = http.post(
                    f"{'https' if warehouse.secure else 'http'}://{warehouse.host}:{warehouse.port}/",
                    params=query,
                    auth=(warehouse.user, warehouse.password.get_secret_value()),
                    content=body,
                )
        except httpx.InvalidURL:
            raise files.FileProblem(
                "it has too many columns, or their names are too long", "Leave some out, or give them shorter names."
            ) from None
        if answer.status_code != httpx.codes.OK:
            raise _problem(answer.text)

    def _check_header(self, names: Sequence[str]) -> None:
        """A header none of whose names we know is no header, or needs a mapping, which must name what is there."""
        mapped = [column for column in self._mapping.values() if not column.startswith("properties.")]
        missing = [column for column in mapped if column not in names]
        if missing:
            raise files.FileProblem(
                f"it has no column {missing[0]!r}, which --map names",
                f"Its columns are: {', '.join(names[:50])}.",
            )
        known = {spelling for field in self._table.mapped(self._mapping) for spelling in field.outer}
        if not known.intersection(names):
            raise files.FileProblem(
                f"its first line ({', '.join(map(repr, names[:4]))}, …) names no column that Footfall knows",
                "Put a header on top, or say which column is which: --map field=column.",
            )

    def _counted(self, client: Client, load: ledger.Load, superseded: Sequence[ledger.Load]) -> tuple[ledger.Load, str]:
        """The load with the numbers of its rows, and why some of them were rejected."""
        names = {"raw": self._raw, "table": self._table.name, "load_id": load.load_id}
        accepted = client.query(
            "SELECT count() FROM {raw:Identifier}.{table:Identifier} WHERE load_id = {load_id:String}",
            parameters=names,
        ).result_rows[0][0]
        reasons = client.query(
            "SELECT reason, count() AS n, min(line) FROM {raw:Identifier}.rejected_rows "
            "WHERE load_id = {load_id:String} GROUP BY reason ORDER BY n DESC, reason",
            parameters=names,
        ).result_rows
        told = "; ".join(f"{reason}: {n:,} (first in line {line})" for reason, n, line in reasons[:3])
        rejected = sum(int(n) for _, n, _ in reasons)
        duplicate = self._duplicates(client, load.load_id, superseded) if self._table.name == EVENTS and accepted else 0
        return replaced(load, rows_accepted=int(accepted), rows_rejected=rejected, rows_duplicate=duplicate), told

    def _duplicates(self, client: Client, load_id: str, superseded: Sequence[ledger.Load]) -> int:
        """Accepted rows whose event stands already, earlier in this file or in a load that stands.

        Some days at a time, so that memory stays flat; the keys prune what is read of the days' events.
        """
        names: dict[str, object] = {"raw": self._raw, "load_id": load_id}
        days = client.query(
            "SELECT event_date, count() FROM {raw:Identifier}.events WHERE load_id = {load_id:String} "
            "GROUP BY event_date ORDER BY event_date",
            parameters=names,
        ).result_rows
        gone = [load.load_seq for load in superseded]
        total = 0
        for first, last in _spans(days):
            of_span = names | {"first": first, "last": last, "gone": gone}
            total += client.query(_DUPLICATES, parameters=of_span).result_rows[0][0]
        return total

    def _plainly(self, error: Exception) -> str:
        if isinstance(error, httpx.TransportError):
            return "the warehouse went away while the file was being loaded; nothing of it is visible, load it again"
        text = str(error).replace(self._warehouse.password.get_secret_value() or "\0", "***")
        lines = [line for line in text.strip().splitlines() if line.strip()]
        return lines[0] if lines else type(error).__name__


# Rows whose keys are compared at a time; a set of as many keys takes some hundred megabytes.
_ROWS_OF_A_SPAN = 1_000_000

_DUPLICATES = """
    WITH mine AS (
        SELECT tenant_id, event_date, event_id
        FROM {raw:Identifier}.events
        WHERE load_id = {load_id:String} AND event_date BETWEEN {first:Date} AND {last:Date}
    )
    SELECT
        (SELECT count() - uniqExact(sipHash64(tenant_id, event_date, event_id)) FROM mine)
        + (
            SELECT uniqExact(sipHash64(tenant_id, event_date, event_id))
            FROM {raw:Identifier}.events
            WHERE
                event_date BETWEEN {first:Date} AND {last:Date}
                AND load_id IN (
                    SELECT load_id
                    FROM {raw:Identifier}.loads FINAL
                    WHERE status = 'committed' AND `table` = 'events' AND load_seq NOT IN {gone:Array(UInt64)}
                )
                AND (tenant_id, event_date, event_id) IN mine
        )
"""


def _spans(days: Sequence[tuple[date, int]]) -> Iterator[tuple[date, date]]:
    """Days, given with their rows, as spans of at most _ROWS_OF_A_SPAN rows (of one day where a day has more)."""
    span: list[date] = []
    rows = 0
    for day, count in days:
        if span and rows + count > _ROWS_OF_A_SPAN:
            yield span[0], span[-1]
            span, rows = [], 0
        span.append(day)
        rows += count
    if span:
        yield span[0], span[-1]


def _sentence(problem: files.FileProblem) -> str:
    return f"{problem.message}. {problem.next_step}" if problem.next_step else problem.message


def _parameter(value: object) -> str:
    """A value as an HTTP query parameter of ClickHouse."""
    return str(format_bind_value(value))


def _problem(text: str) -> Exception:
    """The server's answer as a problem of the file where it is one, else as an error of the database."""
    message = re.sub(r"\s*\(version [^)]*\)\s*$", "", text.strip().splitlines()[0] if text.strip() else "no answer")
    message = re.sub(r"^Code: \d+\. DB::(Parsing)?Exception: ", "", message)
    if "CANNOT_PARSE" in text or "INCORRECT_DATA" in text or "Cannot parse" in text:
        return files.FileProblem(f"the file is not readable as JSON ({message[:200]})")
    if "NOT_ENOUGH_SPACE" in text or "No space left" in text:
        return ClickHouseError("the disk is full; nothing of the file is visible. Make room and load it again.")
    return ClickHouseError(message)
