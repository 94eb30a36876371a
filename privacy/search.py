"""Everywhere that a person's ids or traits are held: in tables of all databases, and in files of the home.

What proves an erasure, and what makes an export complete.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import orjson
from clickhouse_connect.driver.client import Client

from ingest.erasures import UNLOGGED
from privacy import landed_files

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
_COUNT = """
    SELECT countIf(match(toString({column:Identifier}), {pattern:String}))
    FROM {database:Identifier}.{table:Identifier}
"""
# Lines of which no row is another tenant's.
_OF_NO_OTHER = """
    (load_id, line) NOT IN (
        SELECT load_id, line FROM {raw:Identifier}.events WHERE tenant_id != {tenant:String}
        UNION ALL
        SELECT load_id, line FROM {raw:Identifier}.identity_mappings WHERE tenant_id NOT IN ('', {tenant:String})
    )
"""
# Rows of a source that are of no account which somebody of another tenant has.
_OF_NO_OTHERS_ACCOUNT = """
    key NOT IN (SELECT distinct_id FROM {raw:Identifier}.events WHERE tenant_id != {tenant:String})
    AND document['account_id'] NOT IN (
        SELECT distinct_id FROM {raw:Identifier}.events WHERE tenant_id != {tenant:String} AND distinct_id != ''
    )
"""
# Tables of the engine hold no text of their own in these files; they are asked by SQL.
_DATA = "data"
# What dbt makes of the project, whose tests and examples have people, too; no row of a warehouse gets there.
_OF_THE_PROJECT = ("partial_parse.msgpack", "graph.gpickle", "manifest.json", "run_results.json", "manifests/*.json")
_COMPILED = {"compiled", "run"}


@dataclass(frozen=True)
class Found:
    """Where something of a person is held, and in how many rows (of a file: 1)."""

    place: str
    rows: int


def pattern_of(words: Sequence[str]) -> str:
    """The pattern of a text that holds one of the words, as one of its own; RE2 and Python read it alike."""
    either = "|".join(re.sub(r"([!-/:-@\[-^`{-~ ])", r"\\\1", word) for word in words)
    return f"(?:^|[^{_INSIDE}])(?:{either})(?:$|[^{_INSIDE}])"


def in_tables(client: Client, raw: str, tenant: str, words: Sequence[str]) -> Iterator[Found]:
    """The columns of all tables of all databases that hold one of the words, in a text of any kind. Rows of another
    tenant than this one are another person's.
    """
    for database, table, columns in client.query(_TABLES).result_rows:
        condition = "1"
        if "tenant_id" in columns:
            condition = "tenant_id IN ('', {tenant:String})"
        elif (database, table) == (raw, "lines"):
            condition = _OF_NO_OTHER
        elif (database, table) == (raw, "source_rows"):
            condition = _OF_NO_OTHERS_ACCOUNT
        for column in columns:
            names = {"database": database, "table": table, "column": column, "raw": raw, "tenant": tenant}
            (count,) = client.query(
                f"{_COUNT} WHERE {condition}", parameters=names | {"pattern": pattern_of(words)}, settings=UNLOGGED
            ).first_row
            if count:
                yield Found(f"{database}.{table}.{column}", int(count))


def in_files(home: Path, tenant: str, words: Sequence[str], but_for: Path | None = None) -> Iterator[Found]:
    """The files of a home that hold one of the words, unpacked if need be; the tables' own files aside, and those in
    the folder `but_for`. A line that names another tenant than this one is another person's.
    """
    aside = {home / "warehouse" / _DATA, but_for}
    wanted = re.compile(pattern_of(words).encode())
    for path in sorted(home.rglob("*")):
        if _is_of_the_project(path, home / "dbt"):
            continue
        if path.is_file() and not path.is_symlink() and aside.isdisjoint(path.parents):
            with suppress(FileNotFoundError):
                if count := _held(path, tenant, wanted):
                    yield Found(str(path), count)


def _is_of_the_project(path: Path, artifacts: Path) -> bool:
    """Whether dbt made the file of the project alone."""
    if artifacts not in path.parents:
        return False
    return any(map(path.match, _OF_THE_PROJECT)) or not _COMPILED.isdisjoint(path.relative_to(artifacts).parts)


def _held(path: Path, tenant: str, wanted: re.Pattern[bytes]) -> int:
    """In how many lines of a file there is something."""
    return sum(
        wanted.search(line) is not None and not names_another(line, tenant) for line in landed_files.lines_of(path)
    )


def names_another(line: bytes, tenant: str) -> bool:
    """Whether a line of JSON says that it is of another tenant than this one."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    named = (row.get("tenant_id") or row.get("location_id")) if isinstance(row, dict) else None
    return named not in (None, "", tenant)
