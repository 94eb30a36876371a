"""Files of any accepted kind, as the bytes that the warehouse reads."""

import codecs
import csv
import gzip
import hashlib
import io
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import zstandard

from warehouse.errors import FootfallError, UsageError

KINDS = {".ndjson": "lines", ".jsonl": "lines", ".json": "json", ".csv": "csv", ".parquet": "parquet"}
COMPRESSIONS = (".gz", ".zst")

_CHUNK = 1 << 20
# Of compressed bytes; what comes out at a time is a hundred times as much at worst.
_ZSTD_CHUNK = 1 << 16
# No part of a file that is loaded at one time with others is smaller: each costs a query.
_PART = 32 << 20
# A row of a CSV file must fit into one block; a few blocks are in memory at a time.
_CSV_BLOCK = 32 << 20
_PARQUET_ROWS = 65_536
# How much of a file is looked at to tell what it is: more than one line of most files.
_HEAD = 1 << 20
# Bytes that are no UTF-8 pass through the CSV reader as characters of the private use area, from here on.
_FOREIGN = 0xF700


class FileProblem(FootfallError):
    """A file that cannot be read at all; the message says why, without the path."""


@dataclass(frozen=True)
class Content:
    """What a first pass over a file found: the hash of its decompressed bytes, their number, its first bytes, and
    here and there how many lines end before which byte.
    """

    content_hash: str
    size: int
    head: bytes
    line_marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Part:
    """Whole lines of a file, from one byte to another, and how many lines there are before them."""

    start: int
    end: int
    lines_before: int


def find(paths: Sequence[Path]) -> list[Path]:
    """The files that the paths name, folders searched through and sorted; names that begin with . or _ are left out.

    Raises UsageError for a path that does not exist.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = (file for file in sorted(path.rglob("*")) if file.is_file())
            found += [
                file for file in inside if not any(name.startswith((".", "_")) for name in file.relative_to(path).parts)
            ]
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
            f"the ending {repr(path.suffix) if path.suffix else '(none)'} is not one Footfall reads",
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
    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 31)
    with path.open("rb") as file:
        frame, is_whole = decompressor.decompressobj(), True
        while chunk := file.read(_ZSTD_CHUNK):
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
    lines, marks = 0, [(0, 0)]
    for chunk in chunks(path):
        digest.update(chunk)
        size += len(chunk)
        lines += chunk.count(b"\n")
        if size - marks[-1][0] >= _PART:
            marks.append((size, lines))
        if len(head) < _HEAD:
            head += chunk[: _HEAD - len(head)]
    if kind != "parquet":
        _check_text(head)
    elif head and not head.startswith(b"PAR1"):
        raise FileProblem("the file is not Parquet")
    return Content(digest.hexdigest(), size, head.removeprefix(codecs.BOM_UTF8), tuple(marks))


def parts(path: Path, content: Content, count: int) -> list[Part]:
    """At most `count` parts of about the same size that together are an uncompressed file, cut between lines.

    One part if the file is compressed or small.
    """
    cuts = [(0, 0)]
    is_plain = path.suffix.lower() not in COMPRESSIONS
    with path.open("rb") as file:
        for i in range(1, count) if is_plain else ():
            offset, lines = next((m for m in content.line_marks if m[0] >= content.size * i // count), (0, 0))
            if offset <= cuts[-1][0]:
                continue
            file.seek(offset)
            rest = file.readline()
            if rest.endswith(b"\n") and offset + len(rest) < content.size:
                cuts.append((offset + len(rest), lines + 1))
    ends = [start for start, _ in cuts[1:]] + [content.size]
    return [Part(start, end, lines) for (start, lines), end in zip(cuts, ends, strict=True)]


def chunks_of(path: Path, part: Part) -> Iterator[bytes]:
    """The decompressed bytes of a part of a file; a file that has grown meanwhile is read as it was."""
    if path.suffix.lower() in COMPRESSIONS:
        yield from chunks(path)
        return
    try:
        with path.open("rb") as file:
            file.seek(part.start)
            left = part.end - part.start
            while left and (chunk := file.read(min(_CHUNK, left))):
                left -= len(chunk)
                yield chunk
    except OSError as error:
        raise FileProblem(f"the file cannot be read ({error.strerror or error})") from None


def _check_text(head: bytes) -> None:
    for magic, what in _MAGIC.items():
        if head.startswith(magic):
            raise FileProblem(f"the file is binary, not text: {what}", "Give it the ending that says so.")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise FileProblem("the file is UTF-16 text", "Save it as UTF-8.")
    if b"\0" in head:
        raise FileProblem("the file is binary, not text")


_MAGIC = {
    b"\x1f\x8b": "compressed with gzip",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"PAR1": "Parquet",
    b"PK\x03\x04": "a ZIP archive",
}


def without_mark(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes of a text without its byte order mark."""
    is_first = True
    for chunk in parts:
        yield chunk.removeprefix(codecs.BOM_UTF8) if is_first else chunk
        is_first = False


def is_documents(head: bytes, kind: str) -> bool:
    """Whether JSON goes over several lines: an array of objects, or objects of which the first takes several lines.

    In a file that calls itself NDJSON only an array does; any other line that is not a row is rejected on its own.
    """
    text = head.lstrip()
    if text.startswith(b"["):
        return text[1:].lstrip()[:1] in (b"{", b"]", b"")
    line, _, rest = text.partition(b"\n")
    if kind == "lines" or not rest or not line.startswith(b"{"):
        return False
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        # rather a broken first line, if the second one begins a row as well
        return not rest.lstrip().startswith(b"{")
    return False


@dataclass(frozen=True)
class Columns:
    """A table of columns: names, ClickHouse types, and the Arrow stream of `line, problem, given, c0, c1, …`."""

    names: list[str]
    types: list[str]
    stream: Iterator[bytes]


def csv_names(head: bytes) -> list[str]:
    """The header of a CSV file; a column without a name is called after its place.

    Raises FileProblem if there is no header to speak of, or a name twice.
    """
    text = head.decode("utf-8", errors="replace")
    try:
        header: list[str] = next(csv.reader(io.StringIO(text, newline="")), [])
    except csv.Error as error:
        raise FileProblem(f"its header is not readable as CSV ({error})") from None
    if not header:
        raise FileProblem("its first line is empty", "Put a header with the names of the columns there.")
    if any("\N{REPLACEMENT CHARACTER}" in name for name in header):
        raise FileProblem("its header is not UTF-8 text", "Save the file as UTF-8.")
    names = [name.strip() or f"column_{i}" for i, name in enumerate(header, start=1)]
    _check_names(names)
    return names


def _check_names(names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FileProblem(
            f"the column name {', '.join(map(repr, twice))} is there more than once", "Rename one of them."
        )


def csv_columns(parts: Iterable[bytes], names: list[str]) -> Columns:
    """A CSV file as columns of text. Rows with too many or too few cells, or that are not UTF-8, carry their problem
    and their text; `line` is the line of the file that a row begins in, whatever line breaks its cells hold.
    """
    return Columns(names, ["String"] * len(names), _arrow_stream(_CsvRows(parts, len(names)).batches()))


class _CsvRows:
    """The rows of one CSV file. pyarrow parses it; here is kept what it says of the rows it could not read."""

    def __init__(self, parts: Iterable[bytes], width: int) -> None:
        self._width = width
        self._text = _Utf8(without_mark(parts))
        # Rows with a wrong number of cells, by their number in the file: the problem and the text.
        self._wrong: dict[int, tuple[str, str]] = {}
        # The next row's number and line; the header is row 1 and line 1.
        self._row = 2
        self._line = 2

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Batches of good rows, each followed by one of the wrong rows among them, if there are any."""
        yield _batch([], [], [], [pa.array([], pa.binary())] * self._width)  # there may be no row at all
        try:
            for batch in self._reader():
                if batch.num_rows:
                    yield from self._with_lines(batch)
        except pa.ArrowException as error:
            if "Empty CSV file" not in str(error):
                raise FileProblem(f"the file is not readable as CSV ({error})") from None
        if self._wrong:
            _, wrong = self._take_lines(max(self._wrong), [], np.array([], np.int64))
            yield wrong

    def _reader(self) -> Any:
        names = [f"c{i}" for i in range(self._width)]
        # Bytes, not text, so that nothing is converted; no blank line is left out, so that rows can be counted.
        return pa_csv.open_csv(
            io.BufferedReader(_Readable(self._text.parts()), _CHUNK),  # pyarrow wants each block whole
            read_options=pa_csv.ReadOptions(
                use_threads=False, block_size=_CSV_BLOCK, column_names=names, skip_rows_after_names=1
            ),
            parse_options=pa_csv.ParseOptions(
                invalid_row_handler=self._keep, newlines_in_values=True, ignore_empty_lines=False
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.binary()), strings_can_be_null=False
            ),
        )

    def _keep(self, row: pa_csv.InvalidRow) -> str:
        if row.text:
            problem = f"{row.actual_columns} cells where the header has {row.expected_columns}"
            self._wrong[row.number] = (problem, row.text)
        else:
            self._wrong[row.number] = ("", "")  # a blank line: counted, and no row
        return "skip"

    def _with_lines(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        near = np.arange(self._row, self._row + batch.num_rows + len(self._wrong))
        numbers = near[~np.isin(near, list(self._wrong))][: batch.num_rows]
        columns = list(batch.columns)
        breaks = sum((pc.count_substring(column, b"\n").to_numpy() for column in columns), np.zeros(len(numbers), int))
        lines, wrong = self._take_lines(int(numbers[-1]), numbers, breaks)
        yield self._judged(lines, columns)
        if wrong.num_rows:
            yield wrong

    def _take_lines(self, last: int, numbers: Any, breaks: Any) -> tuple[Any, pa.RecordBatch]:
        """Goes on to row `last`: the lines of the rows `numbers`, whose cells hold so many line breaks, and the wrong
        rows up to there.
        """
        heights = np.ones(last + 1 - self._row, np.int64)
        heights[np.asarray(numbers, np.int64) - self._row] += breaks
        wrong = {number: self._wrong.pop(number) for number in sorted(self._wrong) if number <= last}
        for number, (_, text) in wrong.items():
            heights[number - self._row] += text.count("\n")
        lines = self._line + np.cumsum(heights) - heights
        told = [(lines[number - self._row], *row) for number, row in wrong.items() if row[1]]
        batch = _batch(
            [line for line, _, _ in told],
            [problem for _, problem, _ in told],
            [_Utf8.original(text) for _, _, text in told],
            [pa.array([b""] * len(told), pa.binary())] * self._width,
        )
        lines_of_numbers = lines[np.asarray(numbers, np.int64) - self._row]
        self._row, self._line = last + 1, self._line + int(heights.sum())
        return lines_of_numbers, batch

    def _judged(self, lines: Any, columns: list[Any]) -> pa.RecordBatch:
        """A batch of rows with the right number of cells; those that are not UTF-8 get their problem."""
        problems, givens = [""] * len(lines), [b""] * len(lines)
        if self._text.is_mixed:
            texts = [column.cast(pa.string()) for column in columns]
            marked = [pc.match_substring_regex(text, _Utf8.MARKED).to_numpy(zero_copy_only=False) for text in texts]
            for i in np.flatnonzero(np.any(marked, axis=0)):
                row = io.StringIO()
                csv.writer(row, lineterminator="").writerow([text[int(i)].as_py() for text in texts])
                problems[i], givens[i] = "not valid UTF-8", _Utf8.original(row.getvalue())
        return _batch(lines, problems, givens, columns)


class _Utf8:
    """Bytes that mean to be UTF-8, as valid UTF-8: what is not becomes characters of the private use area.

    pyarrow would give up the whole file for one such byte in a row with a wrong number of cells.
    """

    MARKED = f"[{chr(_FOREIGN + 0x80)}-{chr(_FOREIGN + 0xFF)}]"

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = parts
        self.is_mixed = False

    def parts(self) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder("utf-8")()
        for part in self._parts:
            try:
                text = decoder.decode(part)
            except UnicodeDecodeError:
                self.is_mixed = True
                pending = decoder.getstate()
                decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
                decoder.setstate(pending)
                text = decoder.decode(part)
            yield self._marked(text)
        try:
            yield self._marked(decoder.decode(b"", final=True))
        except UnicodeDecodeError:
            self.is_mixed = True
            yield self._marked(decoder.getstate()[0].decode("utf-8", "surrogateescape"))

    def _marked(self, text: str) -> bytes:
        return (text.translate(_MARK) if self.is_mixed else text).encode()

    @staticmethod
    def original(text: str) -> bytes:
        """The bytes that a marked text was made from."""
        return text.translate(_UNMARK).encode("utf-8", "surrogateescape")


# Python's own stand-ins for such bytes (surrogates) are no valid UTF-8 either, hence the private use area.
_MARK = {0xDC00 + byte: _FOREIGN + byte for byte in range(0x80, 0x100)}
_UNMARK = {mark: escape for escape, mark in _MARK.items()}


def parquet_columns(path: Path) -> Columns:
    """A Parquet file as typed columns, some thousand rows at a time. Raises FileProblem if it is damaged."""
    try:
        file = pq.ParquetFile(_seekable(path))
        schema = file.schema_arrow
    except (pa.ArrowException, OSError) as error:
        raise _damaged_parquet(error) from None
    names = list(schema.names)
    _check_names(names)
    types = [clickhouse_type(field.type) for field in schema]
    return Columns(names, types, _arrow_stream(_parquet_batches(file, schema)))


def _parquet_batches(file: pq.ParquetFile, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    yield _batch([], [], [], [_storage(pa.array([], field.type)) for field in schema])  # there may be no row at all
    line = 1
    try:
        for batch in file.iter_batches(batch_size=_PARQUET_ROWS, use_threads=False):
            count = batch.num_rows
            columns = [_storage(column) for column in batch.columns]
            yield _batch(np.arange(line, line + count), [""] * count, [b""] * count, columns)
            line += count
    except (pa.ArrowException, OSError) as error:
        raise _damaged_parquet(error) from None


def _damaged_parquet(error: Exception) -> FileProblem:
    return FileProblem(f"the file is not readable as Parquet ({str(error).splitlines()[0]})")


def _storage(column: Any) -> Any:
    """A column without the logical type around it, which an Arrow stream cannot always carry."""
    return column.storage if isinstance(column.type, pa.BaseExtensionType) else column


def _seekable(path: Path) -> Any:
    """Parquet is read from its end; a compressed file is therefore unpacked to disk first."""
    if path.suffix.lower() not in COMPRESSIONS:
        return path
    unpacked = tempfile.TemporaryFile()  # noqa: SIM115  read on for as long as the stream lasts
    unpacked.writelines(chunks(path))
    unpacked.seek(0)
    return unpacked


def clickhouse_type(kind: pa.DataType) -> str:
    """The ClickHouse type that reads an Arrow column; what it has no word for is read as text."""
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return clickhouse_type(kind.storage_type) if kind.extension_name != "arrow.uuid" else "Nullable(UUID)"
    if types.is_dictionary(kind):
        return clickhouse_type(kind.value_type)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return f"Array({clickhouse_type(kind.value_type)})"
    if types.is_struct(kind):
        return f"Tuple({', '.join(f'{_quoted(field.name)} {clickhouse_type(field.type)}' for field in kind)})"
    if types.is_map(kind):
        return f"Map(String, {clickhouse_type(kind.item_type)})"
    return f"Nullable({_scalar_type(kind)})"


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def _scalar_type(kind: pa.DataType) -> str:
    types = pa.types
    if types.is_timestamp(kind):
        return f"DateTime64({_DIGITS[kind.unit]}, 'UTC')"
    if types.is_decimal(kind):
        return f"Decimal({kind.precision}, {kind.scale})"
    kinds = (
        (types.is_boolean, "Bool"),
        (types.is_date, "Date32"),
        (types.is_signed_integer, "Int64"),
        (types.is_unsigned_integer, "UInt64"),
        (types.is_float64, "Float64"),
        (types.is_floating, "Float32"),
    )
    return next((name for is_kind, name in kinds if is_kind(kind)), "String")


_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}


def _batch(lines: Any, problems: list[str], givens: list[bytes], columns: Sequence[Any]) -> pa.RecordBatch:
    arrays = [pa.array(lines, pa.uint64()), pa.array(problems, pa.string()), pa.array(givens, pa.binary()), *columns]
    return pa.record_batch(arrays, names=["line", "problem", "given", *(f"c{i}" for i in range(len(columns)))])


def _arrow_stream(batches: Iterator[pa.RecordBatch]) -> Iterator[bytes]:
    """Batches of one schema as the bytes of one Arrow stream."""
    sink = _Sink()
    writer = None
    for batch in batches:
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
