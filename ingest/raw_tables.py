"""The databases and raw tables that loads write to; their columns are in raw_tables.sql."""

from collections.abc import Mapping
from pathlib import Path

from clickhouse_connect.driver.client import Client

from ingest.tables import TABLES
from warehouse.connection import Warehouse

RAW_TABLES = Path(__file__).with_name("raw_tables.sql")
INCOMING_TABLES = Path(__file__).with_name("incoming_tables.sql")

# What an incoming table has beside the columns of its raw table.
INCOMING_COLUMNS = (
    "path", "reason", "is_read", "text", "problem", "is_line", "read_by", "tracker", "mapped", "is_of_nobody",
    "unreadable_amounts", "unreadable_times",
)  # fmt: skip

# What a view makes of the rows of an incoming table.
VIEWS = ("accepted", "rejected", "lines", "counts")


def statements(text: str) -> list[str]:
    """The statements of an SQL file: split at semicolons that end a line, comments and blank ones left out."""
    pieces = text.split(";\n")
    bodies = ("\n".join(row for row in piece.splitlines() if not row.startswith("--")).strip() for piece in pieces)
    return [body for body in bodies if body]


def create(warehouse: Warehouse) -> None:
    """Create the raw and published databases and all raw tables that are not there yet; safe to call at any time."""
    names = {"raw": warehouse.settings.raw_database, "published": warehouse.settings.database}
    with warehouse.client() as client:
        for statement in statements(RAW_TABLES.read_text(encoding="utf-8")):
            client.command(statement, parameters=names)
        for table in TABLES:
            incoming = f"incoming_{table}"
            of_table = {
                "table": table,
                "incoming": incoming,
                "accepted": f"{incoming}_accepted",
                "rejected": f"{incoming}_rejected",
                "lines": f"{incoming}_lines",
                "counts": f"{incoming}_counts",
            }
            if _is_outdated(client, names | of_table):
                for name in (*(of_table[view] for view in VIEWS), incoming):
                    client.command(
                        "DROP TABLE IF EXISTS {raw:Identifier}.{name:Identifier}", parameters=names | {"name": name}
                    )
            for statement in statements(INCOMING_TABLES.read_text(encoding="utf-8")):
                client.command(statement, parameters=names | of_table)


def _is_outdated(client: Client, names: Mapping[str, str]) -> bool:
    """Whether the incoming table was made by another version; nothing is ever stored in it."""
    columns = client.query(
        """
        SELECT arraySort(groupArrayIf(name, `table` = {table:String})),
            arraySort(groupArrayIf(name, `table` = {incoming:String}))
        FROM system.columns
        WHERE database = {raw:String} AND `table` IN ({table:String}, {incoming:String})
        """,
        parameters=dict(names),
    ).first_row
    return bool(columns[1]) and sorted([*columns[0], *INCOMING_COLUMNS]) != columns[1]
