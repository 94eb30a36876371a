"""The databases and raw tables that loads write to; their columns are in raw_tables.sql."""

from pathlib import Path

from ingest.spellings import TABLES
from warehouse.connection import Warehouse

RAW_TABLES = Path(__file__).with_name("raw_tables.sql")
INCOMING_TABLES = Path(__file__).with_name("incoming_tables.sql")


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
            }
            for statement in statements(INCOMING_TABLES.read_text(encoding="utf-8")):
                client.command(statement, parameters=names | of_table)
