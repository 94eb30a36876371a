"""Files loaded into a warehouse of their own, and a look at what came of it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ingest import ledger
from ingest.loading import LoadResult, load_paths
from warehouse.connection import Warehouse

# A row that nothing speaks against; tests say what is different about theirs.
GOOD: dict[str, Any] = {
    "tenant_id": "t",
    "event_id": "e1",
    "event": "click",
    "timestamp": "2026-03-01 12:00:00",
    "distinct_id": "d",
}


def event(**fields: Any) -> dict[str, Any]:
    """The good row with other fields; a field given as ... is left out."""
    return {name: value for name, value in (GOOD | fields).items() if value is not ...}


def ndjson(rows: Iterable[Any]) -> bytes:
    """Rows as NDJSON; text among them is a line as it stands."""
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows).encode()


@dataclass(frozen=True)
class Desk:
    """A folder to put files into and a warehouse to load them into."""

    warehouse: Warehouse
    folder: Path

    def put(self, name: str, content: bytes | str | Iterable[Any]) -> Path:
        """Write a file: bytes or text as they stand, anything else as the rows of NDJSON."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            content = content.encode()
        path.write_bytes(content if isinstance(content, bytes) else ndjson(content))
        return path

    def load(self, path: Path, table: str = "events", **options: Any) -> LoadResult:
        """Load one file."""
        (result,) = load_paths(self.warehouse, table, [path], **options)
        return result

    def load_rows(self, *rows: Any, table: str = "events", **options: Any) -> LoadResult:
        """Load rows as an NDJSON file; any share of them may be rejected."""
        return self.load(self.put("rows.ndjson", rows), table, **options)

    def query(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of a query, the raw database being the default one."""
        with self.warehouse.client(self.warehouse.settings.raw_database) as client:
            return list(client.query(sql, parameters=parameters).named_results())

    def rows(self, table: str = "events", columns: str = "*") -> list[dict[str, Any]]:
        """The rows of the loads that stand, in the order of their lines."""
        return self.query(
            f"SELECT {columns} FROM {table} WHERE load_id IN "
            "(SELECT load_id FROM loads FINAL WHERE status = 'committed') ORDER BY load_id, line"
        )

    def rejected(self) -> list[tuple[int, str, str]]:
        """Line, reason and original of all rejected rows."""
        return [
            (row["line"], row["reason"], row["original"])
            for row in self.query("SELECT line, reason, original FROM rejected_rows ORDER BY load_id, line")
        ]

    def remains(self) -> int:
        """Rows of any raw table that belong to no load in the ledger."""
        tables = ("events", "identity_mappings", "funnel_steps", "retention_definitions", *ledger.OF_ALL_TABLES)
        return sum(
            self.query(f"SELECT count() AS n FROM {table} WHERE load_id NOT IN (SELECT load_id FROM loads)")[0]["n"]
            for table in tables
        )


@pytest.fixture
def desk(warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose loads accept any share of rejected rows; a test of the limit sets its own."""
    monkeypatch.setenv("FOOTFALL_MAX_REJECTED_SHARE", "1")
    return Desk(warehouse, tmp_path)
