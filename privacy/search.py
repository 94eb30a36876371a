"""Everywhere that a person's ids or traits are held: in tables of all databases, and in files of the home.

What proves an erasure, and what makes an export complete.
"""

import gzip
import re
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
# An id is found as a word of its own: `ann` is not in `anna`, nor in `ann-2`.
_INSIDE = "A-Za-z0-9_.@-"
_CHUNK = 1 << 20
# Tables of the engine hold no text of their own in these files; they are asked by SQL.
_DATA = "data"


@dataclass(frozen=True)
class Found:
    """Where something of a person is held, and in how many rows (of a file: 1)."""

    place: str
    rows: int


def pattern_of(words: Sequence[str]) -> str:
    """The pattern of a text that holds one of the words, as one of its own; RE2 and Python read it alike."""
    either = "|".join(re.sub(r"([!-/:-@\[-^`{-~ ])", r"\\\1", word) for word in words)
    return f"(?:^|[^{_INSIDE}])(?:{either})(?:$|[^{_INSIDE}])"


def in_tables(client: Client, words: Sequence[str]) -> Iterator[Found]:
    """The columns of all tables of all databases that hold one of the words, in a text of any kind."""
    for database, table, columns in client.query(_TABLES).result_rows:
        for column in columns:
            (count,) = client.query(
                "SELECT countIf(match(toString({column:Identifier}), {pattern:String}))"
                " FROM {database:Identifier}.{table:Identifier}",
                parameters={"database": database, "table": table, "column": column, "pattern": pattern_of(words)},
                settings=UNLOGGED,
            ).first_row
            if count:
                yield Found(f"{database}.{table}.{column}", int(count))


def in_files(home: Path, words: Sequence[str]) -> Iterator[Found]:
    """The files of a home that hold one of the words, unpacked if need be; the tables' own files aside."""
    wanted = re.compile(pattern_of(words).encode())
    for path in sorted(home.rglob("*")):
        if path.is_file() and not path.is_symlink() and (home / "warehouse" / _DATA) not in path.parents:
            with suppress(FileNotFoundError):
                if _holds(path, wanted, max(map(len, words)) * 4):
                    yield Found(str(path), 1)


def _holds(path: Path, wanted: re.Pattern[bytes], overlap: int) -> bool:
    with path.open("rb") as plain:
        is_packed = plain.read(2) == b"\x1f\x8b"
    before = b""
    with gzip.open(path) if is_packed else path.open("rb") as file, suppress(EOFError, zlib.error, gzip.BadGzipFile):
        while chunk := file.read(_CHUNK):
            text = before + chunk
            if wanted.search(text):
                return True
            before = text[-overlap:]
    return False
