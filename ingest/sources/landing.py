"""How rows of a source land: as text into a snapshot, from there into raw.source_rows, of which only what changed.

Two images of a table are compared in the warehouse, row by row; what is known of a key is its version of the latest
load that stands.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from clickhouse_connect.driver.client import Client

from ingest import ledger, moments, sending
from ingest.ledger import Load
from ingest.sources.contract import Column, SourceTable
from warehouse.connection import Warehouse
from warehouse.errors import FootfallError

SOURCE_ROWS = "source_rows"

# What parts of a key are joined by: no text of a key has it.
_BETWEEN = "\\x1f"
# What is sent at a time.
_BLOCK_BYTES = 256 * 1024
# Of so many known rows, and such a share, no sync may miss more: a database that was restored, is another one, or shows
# only some of its rows must not empty a warehouse.
_MISSING_ROWS = 100
_MISSING_SHARE = 0.2
# A table that is suddenly empty had so many rows at least, or it may well be.
_SMALL = 10

_YES = "('t', 'true', '1', 'yes', 'ok', 'unset')"
_NO = "('f', 'false', '0', 'no', 'error', 'timeout')"

_KNOWN = """
    SELECT key, argMax(row_hash, load_id) AS row_hash, argMax(document, load_id) AS document
    FROM {raw:Identifier}.source_rows
    WHERE
        source = {source:String}
        AND `table` = {table:String}
        AND load_id IN (SELECT load_id FROM {raw:Identifier}.loads FINAL WHERE status = 'committed')
    GROUP BY key
    HAVING NOT argMax(is_deleted, load_id)
"""
_READ = """
    SELECT key, row_hash
    FROM {raw:Identifier}.source_snapshot
    WHERE source = {source:String} AND `table` = {table:String}
"""
_CHANGED = f"""
    INSERT INTO {{raw:Identifier}}.source_rows (load_id, source, `table`, key, is_deleted, row_hash, document)
    SELECT {{load_id:String}}, source, `table`, key, 0, row_hash, document
    FROM {{raw:Identifier}}.source_snapshot
    WHERE
        source = {{source:String}}
        AND `table` = {{table:String}}
        AND (key, row_hash) NOT IN (SELECT key, row_hash FROM ({_KNOWN}))
"""  # noqa: S608 - our own text
# They keep what was last known of them: what is worked out of others may need it.
_GONE = f"""
    INSERT INTO {{raw:Identifier}}.source_rows (load_id, source, `table`, key, is_deleted, row_hash, document)
    SELECT {{load_id:String}}, {{source:String}}, {{table:String}}, key, 1, row_hash, document
    FROM ({_KNOWN})
    WHERE key NOT IN (SELECT key FROM ({_READ}))
"""  # noqa: S608 - our own text
_COUNTS = f"""
    SELECT
        (SELECT count() FROM ({_KNOWN})),
        (SELECT count() FROM ({_KNOWN}) WHERE key NOT IN (SELECT key FROM ({_READ}))),
        (SELECT count() FROM ({_READ})),
        (SELECT uniqExact(key) FROM ({_READ}))
"""  # noqa: S608 - our own text
_WRITTEN = """
    SELECT countIf(NOT is_deleted), countIf(is_deleted)
    FROM {raw:Identifier}.source_rows
    WHERE load_id = {load_id:String} AND source = {source:String} AND `table` = {table:String}
"""


@dataclass(frozen=True)
class Landed:
    """Rows of a table: read, new or otherwise than before, and gone."""

    seen: int
    changed: int
    deleted: int


def remove_remains(client: Client, raw: str) -> None:
    """Delete what a sync left that broke off."""
    ledger.remove_remains(client, raw, SOURCE_ROWS)
    for table in (SOURCE_ROWS, "source_syncs"):
        client.command(
            "DELETE FROM {raw:Identifier}.{table:Identifier}"
            " WHERE load_id NOT IN (SELECT load_id FROM {raw:Identifier}.loads)",
            parameters={"raw": raw, "table": table},
        )
    client.command("TRUNCATE TABLE {raw:Identifier}.source_snapshot", parameters={"raw": raw})


def read_snapshot(
    warehouse: Warehouse,
    load: Load,
    source: str,
    table: SourceTable,
    text: Iterator[bytes],
    timezone: str,
    stop: Callable[[], None],
) -> None:
    """Send rows as tab separated text, with all columns of the contract in their order, into the snapshot.

    `timezone` is that of times without one.
    """
    columns = ", ".join(f"c{number} Nullable(String)" for number in range(len(table.columns)))
    places = {name: f"c{number}" for number, name in enumerate(table.columns)}
    named = ", ".join(f"'{name}', {_typed(places[name], column)}" for name, column in table.columns.items())
    key = ", ".join(f"assumeNotNull({places[name]})" for name in table.key)
    there = " AND ".join(f"{places[name]} IS NOT NULL" for name in table.key)
    sending.insert(
        warehouse,
        f"{ledger.query_id(warehouse.settings.raw_database, load.load_id)}-{table.name}",
        f"""
        INSERT INTO {{raw:Identifier}}.source_snapshot (source, `table`, key, row_hash, document)
        SELECT {{source:String}}, {{table:String}}, key, reinterpretAsUInt128(sipHash128(document)), document
        FROM (
            SELECT
                arrayStringConcat([{key}], '{_BETWEEN}') AS key,
                CAST(
                    mapApply(
                        (name, value) -> (name, assumeNotNull(value)),
                        mapFilter((name, value) -> coalesce(value, '') != '', map({named}))
                    ),
                    'Map(LowCardinality(String), String)'
                ) AS document
            FROM input('{columns}')
            WHERE {there}
        )
        FORMAT TSV""",  # noqa: S608 - names of a contract, which are plain
        {
            "raw": warehouse.settings.raw_database,
            "source": source,
            "table": table.name,
            "iso_time": moments.ISO_TIME,
            "unix_time": moments.UNIX_TIME,
            "timezone": timezone,
        },
        [sending.Body(_blocks(text))],
        stop,
    )


def rows_seen(client: Client, raw: str, source: str, table: SourceTable) -> int:
    """The number of rows that the snapshot of a table has."""
    names = {"raw": raw, "source": source, "table": table.name}
    return int(client.query(f"SELECT count() FROM ({_READ})", parameters=names).first_row[0])  # noqa: S608 - our own text


def _blocks(rows: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in larger pieces: what a row costs to send by itself is many times what it costs to read."""
    waiting, size = [], 0
    for row in rows:
        waiting.append(row)
        size += len(row)
        if size >= _BLOCK_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def land(
    client: Client, raw: str, load: Load, source: str, table: SourceTable, *, accept_deletes: bool = False
) -> Landed:
    """Compare the snapshot of a table with what is known, and write what changed as rows of the load.

    Raises FootfallError if two rows have one key, or if so many rows are gone that something must be wrong.
    """
    names = {"raw": raw, "source": source, "table": table.name, "load_id": load.load_id}
    known, gone, seen, keys = client.query(_COUNTS, parameters=names).first_row
    if seen != keys:
        raise FootfallError(
            f"{source}.{table.name}: {seen - keys:,} rows have the key of another one ({', '.join(table.key)}).",
            "Nothing was loaded. Give the source's table a unique key, or its file one row a key.",
        )
    if table.mode == "snapshot" and not accept_deletes:
        _require_rows(source, table.name, known, gone, seen)
    client.command(_CHANGED, parameters=names)
    if table.mode == "snapshot":
        client.command(_GONE, parameters=names)
    changed, deleted = client.query(_WRITTEN, parameters=names).first_row
    return Landed(int(seen), int(changed), int(deleted))


def _require_rows(source: str, table: str, known: int, gone: int, seen: int) -> None:
    is_emptied = seen == 0 and known >= _SMALL
    if is_emptied or (gone >= _MISSING_ROWS and gone > known * _MISSING_SHARE):
        what = "is empty" if seen == 0 else f"lacks {gone:,} of the {known:,} rows that are known"
        raise FootfallError(
            f"{source}.{table} {what}.",
            "Nothing was loaded. If they were deleted there, --accept-deletes has them deleted here as well.",
        )


def _typed(place: str, column: Column) -> str:
    """A column's text as it is kept: the same whether it came by COPY or from a file."""
    text = f"assumeNotNull({place})"
    if column.kind == "moment":
        value = f"toString({moments.moment(text)})"
    elif column.kind == "flag":
        value = f"multiIf(lower({text}) IN {_YES}, '1', lower({text}) IN {_NO}, '0', NULL)"
    elif column.kind == "number":
        number = f"toFloat64OrNull({text})" + " / 1e6" * (column.unit == "ns")
        value = f"toString(toInt64(round({number})))"
    else:
        value = f"substringUTF8({text}, 1, {column.characters})" if column.characters else text
    return f"if({place} IS NULL, NULL, CAST({value}, 'Nullable(String)'))"
