"""Everywhere that a person's ids or traits are held: in tables of all databases, and in files of the home.

What proves an erasure, and what makes an export complete.
"""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clickhouse_connect.driver.client import Client

from ingest.erasures import UNLOGGED

# What the server keeps only while it runs, or makes up when it is asked.
_TABLES = """
    SELECT database, table, groupArray(name)
    FROM system.columns
    WHERE
        position(type, 'String') > 0
        AND (database, table) IN (
            SELECT database, name FROM system.tables WHERE engine LIKE '%MergeTree' OR engine IN ('Log', 'TinyLog')
        )
    GROUP BY database, table
    ORDER BY database, table
"""
# Shorter ones are found everywhere.
_SHORTEST = 3
_CHUNK = 1 << 20
# Tables of the engine hold no text of their own in these files; they are asked by SQL.
_DATA = "data"


@dataclass(frozen=True)
class Found:
    """Where something of a person is held, and in how many rows (of a file: 1)."""

    place: str
    rows: int


def in_tables(client: Client, words: Sequence[str]) -> Iterator[Found]:
    """The columns of all tables of all databases that hold one of the words, in a text of any kind."""
    wanted = [word for word in words if len(word) >= _SHORTEST]
    if not wanted:
        return
    for database, table, columns in client.query(_TABLES).result_rows:
        for column in columns:
            (count,) = client.query(
                "SELECT countIf(arrayExists(word -> position(toString({column:Identifier}), word) > 0,"
                " {words:Array(String)})) FROM {database:Identifier}.{table:Identifier}",
                parameters={"database": database, "table": table, "column": column, "words": wanted},
                settings=UNLOGGED,
            ).first_row
            if count:
                yield Found(f"{database}.{table}.{column}", int(count))


def in_files(home: Path, words: Sequence[str]) -> Iterator[Found]:
    """The files of a home that hold one of the words, unpacked if need be; the tables' own files aside."""
    wanted = [word.encode() for word in words if len(word) >= _SHORTEST]
    for path in sorted(home.rglob("*")):
        if path.is_file() and not path.is_symlink() and (home / "warehouse" / _DATA) not in path.parents:
            with suppress(FileNotFoundError):
                if _holds(path, wanted):
                    yield Found(str(path), 1)


def _holds(path: Path, words: Sequence[bytes]) -> bool:
    overlap = max((len(word) for word in words), default=1) - 1
    with path.open("rb") as plain:
        is_packed = plain.read(2) == b"\x1f\x8b"
    before = b""
    with gzip.open(path) if is_packed else path.open("rb") as file, suppress(EOFError, zlib.error, gzip.BadGzipFile):
        while chunk := file.read(_CHUNK):
            text = before + chunk
            if any(word in text for word in words):
                return True
            before = text[-overlap:] if overlap else b""
    return False
