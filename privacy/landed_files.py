"""Files of rows as they were delivered, packed or not: their lines, and themselves without some of their rows."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.csv_dialect import dialect_of
from ingest.file_problem import FileProblem
from ingest.files import first_pass
from ingest.unpacking import HEAD

# How a packed file begins, and what packs it again.
_PACKINGS = {b"\x1f\x8b": "gzip", b"\x28\xb5": "zstd"}
_PARQUET = b"PA"
_ROWS = 65_536


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of a file, unpacked if need be; the rows of a Parquet file as JSON. Ends early if it is damaged."""
    begin = _begin(path)
    if begin == _PARQUET:
        try:
            for batch in pq.ParquetFile(path).iter_batches(batch_size=_ROWS):
                yield from (orjson.dumps(row, default=str) for row in batch.to_pylist())
            return
        except (pa.ArrowException, OSError):
            pass  # then by its bytes, as any other file
    packing = _PACKINGS.get(begin)
    try:
        with pa.input_stream(str(path), compression=packing) as stream:
            yield from _split(lambda: stream.read(1 << 20))
    except (pa.ArrowException, OSError):
        return


def _split(read: Callable[[], bytes]) -> Iterator[bytes]:
    left = b""
    while chunk := read():
        *lines, left = (left + chunk).split(b"\n")
        yield from (line + b"\n" for line in lines)
    if left:
        yield left


def take_out(path: Path, lines: set[int]) -> bool:
    """Take the rows that begin in these lines out of a file: blank lines take their place, and of Parquet the others
    move up. Whether nothing of them is left; of JSON over several lines and of archives nothing is changed.

    The file is never seen half-written.
    """
    try:
        kind = first_pass(path).kind
    except FileProblem:
        return False
    begin = _begin(path)
    if kind == "parquet" and begin == _PARQUET:
        _replace(path, lambda unfinished: _parquet_without(path, lines, unfinished))
    elif kind in ("lines", "csv") and begin != b"PK":
        rows = list(lines_of(path))
        rewrite(path, _csv_without(rows, lines) if kind == "csv" else _without(rows, lines), _PACKINGS.get(begin))
    else:
        return False
    return True


def _without(rows: list[bytes], lines: set[int]) -> bytes:
    return b"".join(b"\n" if number in lines else row for number, row in enumerate(rows, start=1))


def _csv_without(rows: list[bytes], lines: set[int]) -> bytes:
    """A row of CSV goes on over the line breaks in its quotes."""
    is_quoted = dialect_of(b"".join(rows)[:HEAD]).is_quoted
    kept, is_theirs, is_inside = [], False, False
    for number, line in enumerate(rows, start=1):
        if not is_inside:
            is_theirs = number in lines
        if is_quoted and line.count(b'"') % 2:
            is_inside = not is_inside
        kept.append(b"\n" if is_theirs else line)
    return b"".join(kept)


def _parquet_without(path: Path, lines: set[int], unfinished: Path) -> None:
    source = pq.ParquetFile(path)
    before = 0
    with pq.ParquetWriter(unfinished, source.schema_arrow, compression="zstd") as writer:
        for batch in source.iter_batches(batch_size=_ROWS, use_threads=False):
            kept = [place for place in range(batch.num_rows) if before + place + 1 not in lines]
            writer.write_batch(batch.take(pa.array(kept, pa.int64())))
            before += batch.num_rows


def rewrite(path: Path, text: bytes, packing: str | None = None) -> None:
    """Put a text in the place of a file's, packed as it was. The file is never seen half-written."""
    _replace(path, lambda unfinished: _write(unfinished, text, packing))


def _write(unfinished: Path, text: bytes, packing: str | None) -> None:
    with pa.output_stream(str(unfinished), compression=packing) as stream:
        stream.write(text)


def _replace(path: Path, write: Callable[[Path], None]) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    write(unfinished)
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(path)


def _begin(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(2)
