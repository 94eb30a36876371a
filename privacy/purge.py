"""Takes what erasures and cuts made not count out of the disk: rows, what was built before, logs, files of the home.

Every step can be done again: a purge that was killed is simply begun anew.
"""

import os
import re
import time
from collections.abc import Sequence
from pathlib import Path

from clickhouse_connect.driver.client import Client

from ingest import appending, cuts, erasures
from privacy import landed_files
from privacy.search import names_another, pattern_of
from warehouse import publishing
from warehouse.connection import Warehouse
from warehouse.errors import FootfallError

_SYNC = {"mutations_sync": 2, "max_table_size_to_drop": 0}
# How long the server may take to remove the parts of tables that were rewritten: a quarter of a minute on the local
# one, up to five minutes by ClickHouse's own settings.
_PARTS_SECONDS = 600.0
# How long a running service may take to end a file that it appends to; it looks every second.
_FINISH_SECONDS = 10.0
_RAW_TABLES = ("events", "identity_mappings", "lines", "rejected_rows", "source_rows", *cuts.KEPT)

_OUTDATED = """
    SELECT database, table, name
    FROM system.parts
    WHERE
        NOT active
        AND NOT startsWith(name, 'patch-')
        AND (database = {published:String} OR (database = {raw:String} AND table IN {raw_tables:Array(String)}))
"""
# Tables that were dropped, whose files are there still.
_DROPPED = """
    SELECT count()
    FROM system.dropped_tables
    WHERE database IN ({raw:String}, {published:String}, {next:String}, 'system')
"""
_TAKEN = """
    SELECT
        countIf(load_id IN (SELECT load_id FROM {raw:Identifier}.loads WHERE `table` = 'erasures')),
        count()
    FROM {raw:Identifier}.erased_rows
"""
_FILES = """
    SELECT loads.path, groupUniqArray(rows.row_line)
    FROM {raw:Identifier}.erased_rows AS rows
    INNER JOIN {raw:Identifier}.loads AS loads ON rows.row_load_id = loads.load_id
    GROUP BY loads.path
    ORDER BY loads.path
"""


def remove_posted(home: Path, tenant: str, words: Sequence[str]) -> None:
    """Take rows that were posted out of the files of the HTTP service, if they hold one of these words: those that were
    put aside, and those that no load has read yet. In the latter a blank line takes their place. A running service ends
    the files that it is at.
    """
    for table in (table for folder in ("quarantine", "landing") for table in (home / folder).glob("*/")):
        appending.finish_open(table, _FINISH_SECONDS)
    wanted = re.compile(pattern_of(words).encode())
    for folder, instead in (("quarantine", b""), ("landing", b"\n")):
        for path in sorted((home / folder).rglob("posted-*.ndjson")):
            lines = list(landed_files.lines_of(path))
            kept = [instead if wanted.search(line) and not names_another(line, tenant) else line for line in lines]
            if kept != lines:
                landed_files.rewrite(path, b"".join(kept))


def purge_if_needed(warehouse: Warehouse) -> list[str]:
    """Purge, if published erasures or cuts took anything that is on the disk still; the server's logs of statements
    stay, unless somebody was erased. Returns what `purge` returns.
    """
    with warehouse.client() as client:
        people, rows = client.query(_TAKEN, parameters={"raw": warehouse.settings.raw_database}).first_row
        if not rows and not cuts.has_cut_figures(client, warehouse.settings.raw_database):
            return []
    return purge(warehouse, with_logs=bool(people))


def purge(warehouse: Warehouse, *, with_logs: bool = True) -> list[str]:
    """Take all that published erasures and cuts made not count out of the disk. Returns files that hold such rows and
    that are not ours to change, or in a form that is not rewritten: they are for their owner to see to.

    Whoever calls this holds the writer lock. Raises FootfallError if the server does not remove what is outdated.
    """
    raw = warehouse.settings.raw_database
    with warehouse.client() as client:
        left = [
            path
            for path, lines in client.query(_FILES, parameters={"raw": raw}).result_rows
            if not _without(Path(path), {int(line) for line in lines}, warehouse.settings.home)
        ]
        erasures.delete_rows(client, raw)
        cuts.delete_figures(client, raw)
        publishing.forget_previous_version(warehouse)
        for table in _RAW_TABLES:
            _rewrite_marked(client, raw, table)
        publishing.rewrite_marked_rows(warehouse)
        if with_logs:
            _drop_logs(client)
        _wait_for_parts(client, warehouse)
        erasures.forget_rows(client, raw)
    if with_logs:
        _empty_server_logs(warehouse)
    return left


def _rewrite_marked(client: Client, raw: str, table: str) -> None:
    """Rows that were deleted earlier are only marked until their part is rewritten."""
    client.command(
        "ALTER TABLE {raw:Identifier}.{table:Identifier} APPLY DELETED MASK",
        parameters={"raw": raw, "table": table},
        settings=_SYNC,
    )


def _drop_logs(client: Client) -> None:
    """The server's logs of statements, which may hold ids that people asked for; it makes them again."""
    client.command("SYSTEM FLUSH LOGS")
    names = client.query(
        "SELECT name FROM system.tables"
        " WHERE database = 'system' AND endsWith(name, '_log') AND engine LIKE '%MergeTree'"
    ).result_rows
    for (name,) in names:
        client.command("DROP TABLE IF EXISTS system.{name:Identifier} SYNC", parameters={"name": name}, settings=_SYNC)


def _wait_for_parts(client: Client, warehouse: Warehouse) -> None:
    """Have the server remove the files of dropped tables, and of parts that rewritten ones have replaced. Patch parts
    hold no values of columns.
    """
    names: dict[str, object] = {
        "raw": warehouse.settings.raw_database,
        "published": warehouse.settings.database,
        "next": warehouse.settings.next_database,
        "raw_tables": list(_RAW_TABLES),
    }
    outdated = set(client.query(_OUTDATED, parameters=names).result_rows)
    deadline = time.monotonic() + _PARTS_SECONDS
    while (
        outdated.intersection(client.query(_OUTDATED, parameters=names).result_rows)
        or client.query(_DROPPED, parameters=names).first_row[0]
        or _are_being_removed(warehouse)
    ):
        if time.monotonic() > deadline:
            raise FootfallError(
                "The server has not removed outdated parts or dropped tables: erased rows are still on the disk.",
                "The same command again goes on with it.",
            )
        time.sleep(0.5)


def _are_being_removed(warehouse: Warehouse) -> bool:
    """Whether the local server is removing files of parts that it does not list any more."""
    store = warehouse.settings.home / "warehouse" / "data" / "store"
    return warehouse.settings.is_local and any(store.glob("*/*/delete_tmp_*"))


def _without(path: Path, lines: set[int], home: Path) -> bool:
    """Take lines out of a file of the home; whether nothing of them is left in it."""
    return not path.exists() or (home in path.parents and landed_files.take_out(path, lines))


def _empty_server_logs(warehouse: Warehouse) -> None:
    """The local server's own log tells of statements that failed, with their text."""
    if warehouse.settings.is_local:
        for path in (warehouse.settings.home / "warehouse").glob("*.log*"):
            os.truncate(path, 0)
