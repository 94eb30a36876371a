"""Files into the raw tables. Python streams bytes; the warehouse parses, validates and writes, in one pass.

Whoever calls this holds the warehouse's writer lock, so rows without a row in the ledger are the remains of a crash.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from dataclasses import replace as replaced
from datetime import UTC, date, datetime
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
from warehouse.errors import FootfallError

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
    # smaller blocks than usual: the rows are wide, and several streams have some in memory at a time
    "min_insert_block_size_rows": "262144",
    "min_insert_block_size_bytes": str(128 << 20),
}

Progress = Callable[[Path, int], None]


@dataclass(frozen=True)
class LoadResult:
    """What became of one file. `reason` says why it was skipped or failed, or why rows were rejected."""

    path: Path
    status: str
    rows_accepted: int = 0
    rows_rejected: int = 0
    rows_duplicate: int = 0
    load_id: str = ""
    load_seq: int = 0
    reason: str = ""


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
    """The share of rejected rows above which a file is not committed: FOOTFALL_MAX_REJECTED_SHARE, else 10 %."""
    given = os.environ.get("FOOTFALL_MAX_REJECTED_SHARE", "")
    try:
        return float(given) if given else MAX_REJECTED_SHARE
    except ValueError:
        raise FootfallError(
            f"FOOTFALL_MAX_REJECTED_SHARE is {given!r}, which is no number.", "Give a share such as 0.1.", exit_code=2
        ) from None


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
    loads of the same path are superseded. Raises UsageError for a path that is not there or a field that does not
    exist, before anything is loaded.
    """
    target = table_named(table)
    target.mapped(mapping or {})
    found = files.find([Path(path) for path in paths])
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
        self._is_clean = False

    def load_all(self, paths: Sequence[Path], *, replace: bool = False, partition: str = "") -> Iterator[LoadResult]:
        """Load files in order; see load_paths."""
        raw_tables.create(self._warehouse)
        with self._warehouse.client() as client:
            for path in paths:
                yield self.load(client, path, replace=replace, partition=partition)

    def load(self, client: Client, path: Path, *, replace: bool, partition: str = "") -> LoadResult:
        """Load one file. What goes wrong with it is in the result, not raised."""
        load_id, content_hash = ledger.new_load_id(), ""
        try:
            self._remove_remains(client)
            kind = files.kind_of(path)
            content = files.first_pass(path, kind)
            content_hash = self._content_hash(content.content_hash, partition)
            name = str(path.absolute())
            standing = ledger.standing(client, self._raw, self._table.name)
            same = [load for load in standing if load.content_hash == content_hash]
            # a load without a hash says only that a file vanished: nothing to supersede
            of_path = [load for load in standing if load.path == name and load.content_hash]
            is_changed = any(load.content_hash != content_hash for load in of_path)
            # the path's loads go all together, one with the same content too: it is loaded anew
            superseded = of_path if replace and is_changed else []
            if same and not superseded:
                return LoadResult(path, "skipped", load_id=same[0].load_id, reason="already loaded, the same content")
            if not content.size:
                raise files.FileProblem("the file is empty, not one byte", "Export it again.")
            self._insert(path, kind, content, load_id)
            return self._finish(client, path, load_id, content_hash, partition, superseded)
        except files.FileProblem as problem:
            reason = _sentence(problem)
        except (ClickHouseError, httpx.HTTPError, OSError) as error:
            reason = self._plainly(error)
        self._clear(client, path, load_id, content_hash, partition)
        return LoadResult(path, "failed", load_id=load_id, reason=reason)

    def _remove_remains(self, client: Client) -> None:
        """Before the first file, and again after one whose rows could not be removed."""
        if not self._is_clean:
            ledger.remove_remains(client, self._raw, self._table.name)
            self._is_clean = True

    def _clear(self, client: Client, path: Path, load_id: str, content_hash: str, partition: str) -> None:
        """Leave nothing of a load that broke off but its row in the ledger. If even that fails (a full disk, no
        warehouse), nobody reads what is left, and the next load removes it.
        """
        try:
            ledger.stop(client, self._raw, load_id)
            ledger.remove(client, self._raw, [self._table.name, "rejected_rows"], [load_id])
            failed = self._row(path, load_id, content_hash, partition)
            ledger.record_failure(client, self._raw, failed)
        except (ClickHouseError, OSError):
            self._is_clean = False

    def _finish(
        self,
        client: Client,
        path: Path,
        load_id: str,
        content_hash: str,
        partition: str,
        superseded: Sequence[ledger.Load],
    ) -> LoadResult:
        accepted, rejected, reasons = self._counts(client, load_id)
        load = self._row(path, load_id, content_hash, partition, accepted, rejected)
        limit = 0.0 if self._table.any_rejection_fails else max_rejected_share()
        if rejected > limit * (accepted + rejected):
            ledger.remove(client, self._raw, [self._table.name], [load_id])
            ledger.record_failure(client, self._raw, load)
            share = f"{rejected:,} of {accepted + rejected:,} rows were rejected, and the limit is {limit:.0%}"
            return LoadResult(path, "failed", 0, rejected, 0, load_id, reason=f"{share}: {reasons}")
        duplicate = self._duplicates(client, load_id, superseded) if self._table.name == EVENTS and accepted else 0
        committed = ledger.commit(client, self._raw, replaced(load, rows_duplicate=duplicate), superseded)
        reason = reasons if accepted + rejected else "the file holds no rows"
        status = "superseded" if superseded else "loaded"
        return LoadResult(path, status, accepted, rejected, duplicate, load_id, committed.load_seq, reason)

    def _row(
        self, path: Path, load_id: str, content_hash: str, partition: str, accepted: int = 0, rejected: int = 0
    ) -> ledger.Load:
        return ledger.new_load(
            load_id, self._table.name, str(path.absolute()), content_hash, partition, accepted, rejected
        )

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
        count = _Count(path, self._on_progress)
        with ThreadPoolExecutor(len(streams)) as pool:
            sent = [
                pool.submit(
                    self._post,
                    {
                        "query": statement.sql,
                        "query_id": f"{ledger.query_id(self._raw, load_id)}-{number}",
                        **_SETTINGS,
                        **{f"param_{name}": _parameter(value) for name, value in parameters.items()},
                        "param_lines_before": str(lines_before),
                    },
                    count.counted(body if number else files.without_mark(body)),
                )
                for number, (body, lines_before) in enumerate(streams)
            ]
        for answer in sent:
            answer.result()

    def _post(self, query: dict[str, str], body: Iterator[bytes]) -> None:
        warehouse = self._warehouse
        with httpx.Client(timeout=None, trust_env=False) as http:
            answer = http.post(
                f"{'https' if warehouse.secure else 'http'}://{warehouse.host}:{warehouse.port}/",
                params=query,
                auth=(warehouse.user, warehouse.password.get_secret_value()),
                content=body,
            )
        if answer.status_code != httpx.codes.OK:
            raise _refused(answer.text)

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

    def _counts(self, client: Client, load_id: str) -> tuple[int, int, str]:
        names = {"raw": self._raw, "table": self._table.name, "load_id": load_id}
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
        return int(accepted), sum(int(n) for _, n, _ in reasons), told

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
        standing = ledger.standing(client, self._raw, EVENTS)
        gone = {load.load_id for load in superseded}
        others = [load.load_id for load in standing if load.load_id not in gone]
        total = 0
        for first, last in _spans(days):
            of_span = names | {"first": first, "last": last, "standing": others}
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
                AND load_id IN {standing:Array(String)}
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


def _refused(text: str) -> Exception:
    """The server's answer as a problem of the file where it is one, else as an error of the database."""
    message = re.sub(r"\s*\(version [^)]*\)\s*$", "", text.strip().splitlines()[0] if text.strip() else "no answer")
    message = re.sub(r"^Code: \d+\. DB::(Parsing)?Exception: ", "", message)
    if "CANNOT_PARSE" in text or "INCORRECT_DATA" in text or "Cannot parse" in text:
        return files.FileProblem(f"the file is not readable as JSON ({message[:200]})")
    if "NOT_ENOUGH_SPACE" in text or "No space left" in text:
        return files.FileProblem("the disk is full; nothing of the file is visible", "Make room and load it again.")
    return ClickHouseError(message)
