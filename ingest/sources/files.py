"""Tables of a source from files, for where its database cannot be reached: a file is a whole snapshot."""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ingest import files as data_files
from ingest.csv_dialect import dialect_of
from ingest.file_problem import FileProblem
from ingest.sources.contract import SourceTable, Spelling, spelled

# As PostgreSQL writes a value that is none into CSV, and what other exports write.
_NULLS = {"", "\\N", "NULL"}


def rows(path: Path, table: SourceTable) -> Iterator[tuple[str | None, ...]]:
    """The rows of a file, with all columns of the contract in their order, as PostgreSQL's COPY would give them.

    Raises FileProblem for a file that cannot be read, or that lacks a required column.
    """
    spellings = {name: [spelled(one) for one in (name, *column.spellings)] for name, column in table.columns.items()}
    is_checked = False
    for row in _documents(path):
        if not is_checked:
            missing = [
                name
                for name, column in table.columns.items()
                if column.required and not any(one.name in row for one in spellings[name])
            ]
            if missing:
                raise FileProblem(
                    f"it has no column {missing[0]!r}", f"Its columns are: {', '.join(map(str, list(row)[:50]))}."
                )
            is_checked = True
        yield tuple(_value(row, of) for of in spellings.values())


def _documents(path: Path) -> Iterator[Mapping[str, Any]]:
    content = data_files.first_pass(path)
    if content.kind == "parquet":
        for batch in pq.ParquetFile(path).iter_batches():
            yield from batch.to_pylist()
    elif content.kind == "csv":
        text = b"".join(data_files.chunks(path)).decode("utf-8-sig")
        try:
            cells = dialect_of(content.head).rows(text)
            header = next(cells, [])
            for row in cells:
                yield {name: None if cell in _NULLS else cell for name, cell in zip(header, row, strict=False)}
        except csv.Error as error:
            raise FileProblem(f"it is not readable as CSV ({error})") from None
    else:
        text = b"".join(data_files.chunks(path)).decode("utf-8-sig")
        yield from _parsed(text)


def _parsed(text: str) -> Iterator[Mapping[str, Any]]:
    """The objects of a JSON array, or one a line."""
    try:
        found = (
            json.loads(text) if text.lstrip().startswith("[") else map(json.loads, filter(str.strip, text.split("\n")))
        )
        for row in found:
            if not isinstance(row, dict):
                raise FileProblem("a row of it is no JSON object")
            yield row
    except json.JSONDecodeError as error:
        raise FileProblem(f"it is not readable as JSON ({error})") from None


def _value(row: Mapping[str, Any], spellings: list[Spelling]) -> str | None:
    """What a row says of a column: by the first of its spellings that the row has."""
    for one in spellings:
        if one.name in row:
            value = row[one.name]
            if one.is_size:
                text = _text(value)
                return None if text is None else str(len(text.encode()))
            if one.key:
                value = json.loads(value) if isinstance(value, str) and value else value
                value = value.get(one.key) if isinstance(value, dict) else None
            return _text(value)
    return None


def _text(value: Any) -> str | None:
    """A value as PostgreSQL would write it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)
