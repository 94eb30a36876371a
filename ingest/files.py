"""Files of any accepted kind, as the bytes that the warehouse reads."""

import codecs
import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import zstandard

from warehouse.errors import FootfallError, UsageError

KINDS = {".ndjson": "lines", ".jsonl": "lines", ".json": "json", ".csv": "csv", ".parquet": "parquet"}
COMPRESSIONS = (".gz", ".zst")

_CHUNK = 1 << 20
# A row of a CSV file must fit into one block.
_CSV_BLOCK = 64 << 20
_PARQUET_ROWS = 65_536
# More NUL bytes than a text has by accident.
_PROBE = 1 << 16


class FileProblem(FootfallError):
    """A file that cannot be read at all; the message says why, without the path."""


@dataclass(frozen=True)
class Content:
    """What a first pass over a file found: the hash of its decompressed bytes, their number, and its first bytes."""

    content_hash: str
    size: int
    head: bytes


def find(paths: Sequence[Path]) -> list[Path]:
    """The files that the paths name, folders searched through and sorted; names that begin with . or _ are left out.

    Raises UsageError for a path that does not exist.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = (file for file in sorted(path.rglob("*")) if file.is_file())
            found += [file for file in inside if not file.name.startswith((".", "_"))]
        elif path.exists():
            found.append(path)
        else:
            raise UsageError(f"There is no file or folder {path}.", "Check the path and run this again.")
    return list(dict.fromkeys(found))


def kind_of(path: Path) -> str:
    """How a file is to be read: lines, json, csv or parquet. Raises FileProblem for any other ending."""
    name = path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path
    kind = KINDS.get(name.suffix.lower())
    if kind is None:
        raise FileProblem(
            f"the ending {path.suffix or '(none)'} is not one Footfall reads",
            f"It reads {', '.join(KINDS)}, plain or with {' or '.join(COMPRESSIONS)} behind.",
        )
    return kind


def chunks(path: Path) -> Iterator[bytes]:
    """The decompressed bytes of a file, a megabyte at a time. Raises FileProblem if it is damaged or not readable."""
    try:
        if path.suffix.lower() == ".zst":
            yield from _unzstd(path)
            return
        with _opened(path) as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except EOFError:
        raise FileProblem("the compressed file is cut off before its end") from None
    except (gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
        raise FileProblem(f"the compressed file is damaged ({error})") from None
    except OSError as error:
        raise FileProblem(f"the file cannot be read ({error.strerror or error})") from None


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def _unzstd(path: Path) -> Iterator[bytes]:
    """Frame by frame, because only a frame knows whether it came to its end."""
    decompressor = zstandard.ZstdDecompressor()
    with path.open("rb") as file:
        frame, is_whole = decompressor.decompressobj(), True
        while chunk := file.read(_CHUNK):
            while chunk:
                yield frame.decompress(chunk)
                is_whole, chunk = frame.eof, frame.unused_data
                if is_whole:
                    frame = decompressor.decompressobj()
    if not is_whole:
        raise EOFError


def first_pass(path: Path, kind: str) -> Content:
    """Read a file once: nothing of a damaged or foreign file ever reaches the warehouse.

    Raises FileProblem if it is damaged, or binary where text is expected.
    """
    digest, size, head = hashlib.sha256(), 0, b""
    for chunk in chunks(path):
        digest.update(chunk)
        size += len(chunk)
        if len(head) < _PROBE:
            head += chunk[: _PROBE - len(head)]
    if kind == "parquet":
        if size and not head.startswith(b"PAR1"):
            raise FileProblem("the file is not Parquet")
    elif head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise FileProblem("the file is UTF-16 text", "Save it as UTF-8.")
    elif b"\0" in head:
        raise FileProblem("the file is binary, not text")
    return Content(digest.hexdigest(), size, head.removeprefix(codecs.BOM_UTF8))


def text_chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a text file without its byte order mark."""
    is_first = True
    for chunk in chunks(path):
        yield chunk.removeprefix(codecs.BOM_UTF8) if is_first else chunk
        is_first = False


def is_documents(head: bytes) -> bool:
    """Whether JSON goes over several lines: an array, or an object whose first line is not one by itself."""
    text = head.lstrip()
    if text.startswith(b"["):
        return True
    line = text.split(b"\n", 1)[0]
    if line == text or not line.startswith(b"{"):
        return False
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        # a broken first line, if the second one is a row of its own
        return not text.split(b"\n", 2)[1].lstrip().startswith(b"{")
    return False


@dataclass(frozen=True)
class Columns:
    """A table of columns: names, ClickHouse types, and the Arrow stream of `line, problem, given, c0, c1, …`."""

    names: list[str]
    types: list[str]
    stream: Iterator[bytes]


def csv_names(head: bytes) -> list[str]:
    """The header of a CSV file. Raises FileProblem if a name is missing or there twice."""
    names = next(csv.reader(io.StringIO(head.decode("utf-8", errors="replace"), newline="")), [])
    _check_names(names)
    return names


def _check_names(names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FileProblem(
            f"the column name {', '.join(map(repr, twice))} is there more than once", "Rename one of them."
        )


def csv_columns(path: Path, names: list[str]) -> Columns:
    """A CSV file as columns of text; rows with too many or too few cells carry their problem and their text."""
    return Columns(names, ["String"] * len(names), _csv_stream(path, names))


def _csv_stream(path: Path, names: list[str]) -> Iterator[bytes]:
    wrong: list[tuple[int, str, str]] = []

    def keep(row: pa_csv.InvalidRow) -> str:
        problem = f"{row.actual_columns} cells where the header has {row.expected_columns}"
        wrong.append((row.number or 0, problem, row.text))
        return "skip"

    binary = {name: pa.binary() for name in names}
    try:
        reader = pa_csv.open_csv(
            _Readable(text_chunks(path)),
            read_options=pa_csv.ReadOptions(use_threads=False, block_size=_CSV_BLOCK),
            parse_options=pa_csv.ParseOptions(invalid_row_handler=keep, newlines_in_values=True),
            # bytes, not text: one row in another encoding must not cost the others
            convert_options=pa_csv.ConvertOptions(column_types=binary, strings_can_be_null=False, check_utf8=False),
        )
        yield from _arrow_stream(_csv_batches(reader, wrong, len(names)), ["String"] * len(names))
    except pa.ArrowInvalid as error:
        raise FileProblem(f"the file is not readable as CSV ({error})") from None


def _csv_batches(
    reader: Any, wrong: list[tuple[int, str, str]], width: int
) -> Iterator[tuple[list[int] | np.ndarray, list[str], list[str], list[Any]]]:
    line = 2  # the header is line 1
    told = 0
    for batch in reader:
        bad = {number for number, _, _ in wrong}
        lines: list[int] = []
        while len(lines) < batch.num_rows:
            wanted = batch.num_rows - len(lines)
            lines += [number for number in range(line, line + wanted) if number not in bad]
            line += wanted
        none = [""] * batch.num_rows
        yield lines, none, none, list(batch.columns)
        if told < len(wrong):
            yield _wrong_rows(wrong[told:], width)
            told = len(wrong)
    if told < len(wrong):
        yield _wrong_rows(wrong[told:], width)


def _wrong_rows(rows: list[tuple[int, str, str]], width: int) -> tuple[list[int], list[str], list[str], list[Any]]:
    empty = pa.array([b""] * len(rows), pa.binary())
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows], [empty] * width


def parquet_columns(path: Path) -> Columns:
    """A Parquet file as typed columns, read a group of rows at a time. Raises FileProblem if it is damaged."""
    try:
        file = pq.ParquetFile(_seekable(path))
        schema = file.schema_arrow
    except (pa.ArrowInvalid, OSError) as error:
        raise FileProblem(f"the file is not readable as Parquet ({error})") from None
    names = list(schema.names)
    _check_names(names)
    types = [clickhouse_type(field.type) for field in schema]

    def batches() -> Iterator[tuple[Any, list[str], list[str], list[Any]]]:
        line = 1
        for batch in file.iter_batches(batch_size=_PARQUET_ROWS):
            none = [""] * batch.num_rows
            yield np.arange(line, line + batch.num_rows), none, none, list(batch.columns)
            line += batch.num_rows

    return Columns(names, types, _arrow_stream(batches(), types))


def _seekable(path: Path) -> Any:
    return pa.BufferReader(b"".join(chunks(path))) if path.suffix.lower() in COMPRESSIONS else path


def clickhouse_type(kind: pa.DataType, *, is_inside: bool = False) -> str:
    """The ClickHouse type that reads an Arrow column; what it has no word for is read as text."""
    types = pa.types
    if types.is_dictionary(kind):
        return clickhouse_type(kind.value_type, is_inside=is_inside)
    if types.is_list(kind) or types.is_large_list(kind):
        return f"Array({clickhouse_type(kind.value_type, is_inside=True)})"
    if types.is_struct(kind):
        members = (f"`{field.name.replace('`', '')}` {clickhouse_type(field.type, is_inside=True)}" for field in kind)
        return f"Tuple({', '.join(members)})"
    if types.is_map(kind):
        return f"Map(String, {clickhouse_type(kind.item_type, is_inside=True)})"
    return f"Nullable({_scalar_type(kind)})"


def _scalar_type(kind: pa.DataType) -> str:
    types = pa.types
    if types.is_boolean(kind):
        return "Bool"
    if types.is_timestamp(kind) or types.is_date(kind):
        return "DateTime64(6, 'UTC')"
    if types.is_signed_integer(kind):
        return "Int64"
    if types.is_unsigned_integer(kind):
        return "UInt64"
    if types.is_decimal(kind):
        return f"Decimal({kind.precision}, {kind.scale})"
    if types.is_floating(kind):
        return "Float64"
    return "String"


def _arrow_stream(
    batches: Iterator[tuple[Any, list[str], list[str], list[Any]]], types: Sequence[str]
) -> Iterator[bytes]:
    """Batches as the bytes of one Arrow stream, with line, problem and given before the columns."""
    sink = _Sink()
    writer = None
    for lines, problems, givens, columns in batches:
        batch = pa.record_batch(
            [
                pa.array(lines, pa.uint64()),
                pa.array(problems, pa.string()),
                pa.array([text.encode("utf-8", "surrogateescape") for text in givens], pa.binary()),
                *columns,
            ],
            names=["line", "problem", "given", *(f"c{i}" for i in range(len(types)))],
        )
        writer = writer or pa.ipc.new_stream(sink, batch.schema)
        writer.write_batch(batch)
        yield from sink.taken()
    if writer is not None:
        writer.close()
        yield from sink.taken()


class _Sink(io.RawIOBase):
    """A file to write to whose content is taken away as it comes."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        part = bytes(data)
        self._parts.append(part)
        return len(part)

    def taken(self) -> list[bytes]:
        parts, self._parts = self._parts, []
        return parts


class _Readable(io.RawIOBase):
    """Chunks as a file to read from."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        super().__init__()
        self._parts = parts
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._rest = part
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count
