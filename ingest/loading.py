"""Files into the raw tables. Python streams bytes; the warehouse parses, validates and writes, in one pass.

Whoever calls this holds the warehouse's writer lock, so rows without a row in the ledger are the remains of a crash.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from functools import partial
from pathlib import Path
from threading import Lock

import orjson
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from ingest import (
    arrow,
    csv_rows,
    cuts,
    erasures,
    files,
    findings,
    kinds,
    ledger,
    narrowing,
    parquet_rows,
    paths,
    raw_tables,
    rereading,
    row_counts,
    sending,
)
from ingest.appending import POSTED
from ingest.file_problem import FileProblem
from ingest.findings import Findings
from ingest.limits import is_refused, limit_of
from ingest.reading import Reading, Statement
from ingest.recognition import Options, Recognition
from ingest.tables import Table, table_named
from ingest.unpacking import without_mark
from warehouse.connection import Warehouse
from warehouse.errors import UsageError

# Bytes of lines that one INSERT reads at most, as the server needs more memory the longer an INSERT goes on.
_PART = 256 << 20

Progress = Callable[[Path, int], None]


@dataclass(frozen=True)
class LoadResult:
    """What became of one file. `reason` says why it was skipped or failed, or why rows were rejected.

    `rows_erased` are rows of people who were erased, `rows_cut` events that are older than what their tenant keeps:
    they are counted, and not kept.
    `is_retryable` says of a failed one that the warehouse was at fault, not the file;
    `findings` tell what its rows were.
    """

    path: Path
    status: str
    rows_accepted: int = 0
    rows_rejected: int = 0
    rows_duplicate: int = 0
    events_corrected: int = 0
    rows_erased: int = 0
    rows_cut: int = 0
    load_id: str = ""
    load_seq: int = 0
    reason: str = ""
    is_retryable: bool = False
    findings: Findings = field(default_factory=Findings)


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


def load_paths(
    warehouse: Warehouse,
    table: str,
    paths: Sequence[Path],
    *,
    tenant: str = "",
    mapping: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
    contract: str = "",
    timezone: str = "",
    replace: bool = False,
    on_progress: Progress | None = None,
) -> Iterator[LoadResult]:
    """Load files and folders, one load per file, and say of each what became of it; a failure stops no other file.

    `tenant` is for rows that name none; `mapping` gives fields a path of the file's own, `constants` a value;
    `contract` reads all rows, instead of that of their tracker; `timezone` is that of local times. With `replace`
    earlier loads of the same path are superseded. Raises UsageError for a path that is not there, paths without any
    file, a field, a contract or a time zone that does not exist, before anything is loaded.
    """
    target = table_named(table)
    options = Options(tenant, mapping or {}, constants or {}, contract, timezone)
    options.require(warehouse.settings, target)
    found = files.find([Path(path) for path in paths])
    if not found:
        left = ", ".join(map(str, files.left_alone([Path(path) for path in paths])[:3]))
        raise UsageError(
            f"There is no file to load in {', '.join(map(str, paths))}.",
            f"{kinds.READS}{f' Left alone: {left}.' * bool(left)}",
        )
    loader = Loader(warehouse, target, options, on_progress)
    raw_tables.create(warehouse)
    return loader.load_all(found, replace=replace)


class Loader:
    """Loads files of one table with one set of options, all on one connection.

    With `accepts_any_share` no file is refused for how many of its rows were rejected.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        table: Table,
        options: Options,
        on_progress: Progress | None = None,
        *,
        accepts_any_share: bool = False,
    ) -> None:
        self._warehouse = warehouse
        self._table = table
        self._options = options
        self._on_progress = on_progress
        self._raw = warehouse.settings.raw_database
        limit_of(table)  # told before the first file if it is no share
        self._accepts_any_share = accepts_any_share
        self._is_clean = False

    def load_all(self, paths: Sequence[Path], *, replace: bool = False, partition: str = "") -> Iterator[LoadResult]:
        """Load files in order; see load_paths."""
        with self._warehouse.client() as client:
            for path in paths:
                yield self.load(client, path, replace=replace, partition=partition)

    def load(self, client: Client, path: Path, *, replace: bool, partition: str = "") -> LoadResult:
        """Load one file. What goes wrong with it is in the result, not raised."""
        load = ledger.new_load(self._table.name, str(path.absolute()), partition)
        has_begun = False
        try:
            self._remove_remains(client)
            before = files.state_of(path)
            content = files.first_pass(path)
            load = replaced(load, content_hash=self._content_hash(content.content_hash, partition))
            same, of_path = self._standing(client, load)
            is_changed = any(
                other.content_hash != load.content_hash or rereading.is_outdated(self._warehouse, other)
                for other in of_path
            )
            # the path's loads go all together, one with the same content too: it is loaded anew
            superseded = of_path if replace and is_changed else []
            if same and not superseded:
                return LoadResult(path, "skipped", load_id=same[0].load_id, reason="already loaded, the same content")
            if not content.size:
                raise FileProblem("the file is empty, not one byte", "Export it again.")
            load = ledger.begun(client, self._raw, load)
            has_begun = True
            load, columns = self._insert(client, path, content, load)
            if files.state_of(path) != before:
                raise FileProblem("the file changed while it was being loaded", "Load it again.")
            erased = erasures.drop_rows(client, self._raw, load)
            cut = cuts.drop_rows(client, self._raw, load)
            found = findings.of_load(client, self._raw, load.load_id)
            self._require_mapped(path, found, columns)
            load, reasons = row_counts.counted(client, self._raw, load, superseded)
            corrected = row_counts.corrected(client, self._raw, load, superseded)
        except FileProblem as problem:
            return self._failed(client, path, load, _sentence(problem), has_begun=has_begun)
        except (ClickHouseError, OSError) as error:
            return self._failed(client, path, load, self._plainly(error), has_begun=has_begun, is_retryable=True)
        except BaseException:  # Ctrl-C; the next load removes the rows that are there already
            self._stop(client, load.load_id)
            raise
        if is_refused(self._table, load) and not self._accepts_any_share:
            return self._refused(client, path, load, reasons)
        result = self._committed(client, path, load, superseded, reasons)
        result = replaced(result, findings=found, rows_erased=erased, rows_cut=cut)
        return result if result.status == "failed" else replaced(result, events_corrected=corrected)

    def _stop(self, client: Client, load_id: str) -> None:
        """End what the server still does for a load, if the server is there at all."""
        with suppress(ClickHouseError, OSError):
            ledger.stop(client, self._raw, load_id)

    def _standing(self, client: Client, load: ledger.Load) -> tuple[list[ledger.Load], list[ledger.Load]]:
        """The loads that stand and have the same content, and those that have the same path."""
        alike = ledger.alike(client, self._raw, self._table.name, load.content_hash, load.path)
        same = [other for other in alike if other.content_hash == load.content_hash]
        # a load without a hash says only that a file vanished: nothing to supersede
        of_path = [other for other in alike if other.path == load.path and other.content_hash]
        return same, of_path

    def _failed(
        self, client: Client, path: Path, load: ledger.Load, reason: str, *, has_begun: bool, is_retryable: bool = False
    ) -> LoadResult:
        """Leave nothing of a load that broke off but its row in the ledger. If even that fails (a full disk, no
        warehouse), nobody reads what is left, and the next load removes it.
        """
        try:
            if has_begun:
                ledger.stop(client, self._raw, load.load_id)
                ledger.remove(client, self._raw, [self._table.name, *ledger.OF_ALL_TABLES], [load.load_id])
            # Remains are looked for behind the last load that the ledger knows: it must not know a later one yet.
            if self._is_clean:
                ledger.record_failure(client, self._raw, load)
        except (ClickHouseError, OSError):
            self._is_clean = False
        return LoadResult(path, "failed", load_id=load.load_id, reason=reason, is_retryable=is_retryable)

    def _refused(self, client: Client, path: Path, load: ledger.Load, reasons: str) -> LoadResult:
        """Too many rows were rejected: they stay, to be looked at, and the accepted ones go."""
        try:
            ledger.remove(client, self._raw, [self._table.name, "lines"], [load.load_id])
            ledger.record_failure(client, self._raw, load)
        except (ClickHouseError, OSError):
            self._is_clean = False
        rows = load.rows_accepted + load.rows_rejected
        share = f"{load.rows_rejected:,} of {rows:,} rows were rejected, and the limit is {limit_of(self._table):.0%}"
        return LoadResult(path, "failed", 0, load.rows_rejected, 0, load_id=load.load_id, reason=f"{share}: {reasons}")

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
            return LoadResult(path, "failed", load_id=load.load_id, reason=reason, is_retryable=True)
        reason = reasons if load.rows_accepted + load.rows_rejected else "the file holds no rows"
        status = "superseded" if superseded else "loaded"
        return LoadResult(
            path, status, load.rows_accepted, load.rows_rejected, load.rows_duplicate, load_id=load.load_id,
            load_seq=load.load_seq, reason=reason,
        )  # fmt: skip

    def _remove_remains(self, client: Client) -> None:
        """Before the first file, and again after one whose rows could not be removed."""
        if not self._is_clean:
            ledger.remove_remains(client, self._raw, self._table.name)
            self._is_clean = True

    def _content_hash(self, of_file: str, partition: str) -> str:
        # The same bytes read with other options are other rows; so are the files of another landing day.
        options = orjson.dumps([self._table.name, self._options.text(), partition])
        return hashlib.sha256(of_file.encode() + options).hexdigest()

    def _insert(
        self, client: Client, path: Path, content: files.Content, load: ledger.Load
    ) -> tuple[ledger.Load, Sequence[str]]:
        """Write the rows of a file. Returns the load with the contracts it was read by, and the columns of the file."""
        recognition, reading, statement, bodies = self._read(path, content)
        count = _Count(path, self._on_progress)
        counted = [replaced(body, chunks=count.counted(body.chunks)) for body in bodies]
        query_id = ledger.query_id(self._raw, load.load_id)
        parameters = rereading.parameters_of(self._raw, load) | statement.parameters
        stop = partial(self._stop, client, load.load_id)
        sending.insert(self._warehouse, query_id, statement.sql, parameters, counted, stop)
        others = rereading.read_others(self._warehouse, client, load, recognition, reading, stop)
        return rereading.with_contract(load, recognition, [reading.contract.name, *others]), recognition.columns

    def _read(self, path: Path, content: files.Content) -> tuple[Recognition, Reading, Statement, list[sending.Body]]:
        """The reading of most rows of a file, the INSERT for it, and the file as its data: a big one of lines in
        several bodies, because the server works at one body with one core, and with more memory the longer it is.
        """
        if content.kind in ("csv", "parquet"):
            columns = self._csv(path, content) if content.kind == "csv" else parquet_rows.columns_of(path)
            recognition = self._recognition(columns.names)
            self._check_header(recognition, columns.names)
            reading = recognition.reading(recognition.general)
            statement = reading.columns(columns.names, columns.types)
            return recognition, reading, statement, [sending.Body(columns.stream)]
        recognition = self._recognition()
        rows = files.first_rows(content)
        reading = recognition.reading(recognition.best(rows), narrowing.names_in(content.head, rows))
        if content.kind == "documents":
            return recognition, reading, reading.documents(), [sending.Body(without_mark(files.chunks(path)))]
        first, *others = files.parts(path, content, max(sending.STREAMS, -(-content.size // _PART)))
        bodies = [sending.Body(without_mark(files.chunks_of(path, content, first)))]
        bodies += [sending.Body(files.chunks_of(path, content, part), part.lines_before) for part in others]
        return recognition, reading, reading.lines(), bodies

    def _csv(self, path: Path, content: files.Content) -> arrow.Columns:
        """The columns of a CSV file; one without a header has those of the contract that its first row is long for."""
        header = csv_rows.header_of(content.head)
        names = self._recognition().columns_without_header(header)
        return csv_rows.columns_of(files.chunks(path), content.head, names or header, has_header=not names)

    def _recognition(self, columns: Sequence[str] = ()) -> Recognition:
        return Recognition(self._warehouse.settings, self._table, self._options, columns)

    def _check_header(self, recognition: Recognition, names: Sequence[str]) -> None:
        """A header none of whose names we know is no header, or needs a mapping, which must name what is there."""
        missing = [path for path in self._options.mapping.values() if not recognition.has_column(path)]
        if missing:
            raise FileProblem(
                f"it has no column {missing[0]!r}, which --map (or a footfall.yml) names",
                f"Its columns are: {', '.join(names[:50])}.",
            )
        if not recognition.known_names.intersection(names):
            raise FileProblem(
                f"its first line ({', '.join(map(repr, names[:4]))}, …) names no column that Footfall knows",
                "Put a header on top, or say which column is which: --map field=column.",
            )

    def _require_mapped(self, file: Path, found: Findings, columns: Sequence[str]) -> None:
        """A path of the user's own that no row has is a mistake; a null is none, nor is a column without values.

        Of a file of posted rows each was accepted by itself, whichever of them came together.
        """
        if file.name.startswith(POSTED):
            return
        for number, path in enumerate(self._options.mapping.values()):
            if any(len(way) == 1 and way[0] in columns for way in paths.alternatives(path)):
                continue
            if found.rows and not found.mapped >> number & 1:
                raise FileProblem(
                    f"no row of it has {path!r}, which --map (or a footfall.yml) names",
                    "`footfall contracts check FILE` shows what is found where.",
                )

    def _plainly(self, error: Exception) -> str:
        text = str(error).replace(self._warehouse.password.get_secret_value() or "\0", "***")
        lines = [line for line in text.strip().splitlines() if line.strip()]
        return lines[0] if lines else type(error).__name__


def _sentence(problem: FileProblem) -> str:
    return f"{problem.message}. {problem.next_step}" if problem.next_step else problem.message
