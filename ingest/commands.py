"""Loads without a file: what a command says becomes rows of a load, and its line in the ledger names the command."""

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace

import orjson
from clickhouse_connect.driver.client import Client

from ingest import ledger, raw_tables
from warehouse.connection import Warehouse

# With this the paths of such loads begin.
_PREFIX = "command:"


def path_of(*words: str) -> str:
    """What stands in place of a path in the ledger: the command, as one would type it."""
    return f"{_PREFIX}{shlex.join(words)}"


def is_path(path: str) -> bool:
    """Whether a path of the ledger is a command rather than a file."""
    return path.startswith(_PREFIX)


def typed(path: str) -> str:
    """The command of such a path, as it was typed."""
    return f"footfall {path.removeprefix(_PREFIX)}"


def standing(client: Client, raw: str, path: str) -> list[ledger.Load]:
    """What stands of a command's path: one load, or none."""
    return [load for load in ledger.below(client, raw, path) if load.stands and load.path == path]


def commit(
    warehouse: Warehouse, table: str, path: str, rows: Sequence[Mapping[str, object]], *, instead_of: Sequence[str] = ()
) -> ledger.Load:
    """Make these rows (a few, all with the same columns) a load of a raw table; the caller holds the writer lock.

    What stands of the same path, or of the paths in `instead_of`, is superseded by it.
    """
    raw_tables.create(warehouse)
    raw = warehouse.settings.raw_database
    with warehouse.client() as client:
        ledger.remove_remains(client, raw, table)
        superseded = [load for of in (path, *instead_of) for load in standing(client, raw, of)]
        load = ledger.begun(client, raw, ledger.new_load(table, path))
        load = replace(load, content_hash=_content_hash(rows), rows_accepted=len(rows))
        columns = list(rows[0])
        client.insert(
            table,
            [[load.load_id, line, *(row[column] for column in columns)] for line, row in enumerate(rows, start=1)],
            column_names=["load_id", "line", *columns],
            database=raw,
            settings={"query_id": ledger.query_id(raw, load.load_id)},
        )
        return ledger.commit(client, raw, load, superseded)


def _content_hash(rows: Sequence[Mapping[str, object]]) -> str:
    return hashlib.sha256(orjson.dumps([dict(row) for row in rows])).hexdigest()
