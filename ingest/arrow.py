"""Rows of any source as one Arrow stream, which the warehouse reads as columns."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ingest.file_problem import FileProblem

# Bytes of rows that the warehouse works at together: each step there makes something of them.
_PIECE = 4 << 20


@dataclass(frozen=True)
class Columns:
    """A table of columns: names, ClickHouse types, and the Arrow stream of `line, problem, given, c0, c1, …`."""

    names: list[str]
    types: list[str]
    stream: Iterator[bytes]


def check_names(names: list[str]) -> None:
    """Raises FileProblem if two columns have the same name."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FileProblem(
            f"the column name {', '.join(map(repr, twice))} is there more than once", "Rename one of them."
        )


def batch(lines: Any, problems: list[str], givens: list[bytes], columns: Sequence[Any]) -> pa.RecordBatch:
    """Rows of a file: the line each begins in, what is wrong with it or "", its original then, and its cells."""
    arrays = [pa.array(lines, pa.uint64()), pa.array(problems, pa.string()), pa.array(givens, pa.binary()), *columns]
    return pa.record_batch(arrays, names=["line", "problem", "given", *(f"c{i}" for i in range(len(columns)))])


def stream(batches: Iterator[pa.RecordBatch]) -> Iterator[bytes]:
    """Batches of one schema as the bytes of one Arrow stream, cut into smaller ones."""
    sink = _Sink()
    writer = None
    for batch in batches:
        writer = writer or pa.ipc.new_stream(sink, batch.schema)
        for piece in _pieces(batch):
            writer.write_batch(piece)
            yield from sink.taken()
    if writer is not None:
        writer.close()
        yield from sink.taken()


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    rows = max(1, batch.num_rows * _PIECE // max(batch.nbytes, 1))
    for start in range(0, max(batch.num_rows, 1), rows):
        yield batch.slice(start, rows)


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
