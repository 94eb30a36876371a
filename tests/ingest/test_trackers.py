"""Each tracker's rows: recognised by themselves, and read as its documents say (tests/ingest/trackers/*/right.json)."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.loading import LoadResult, load_paths
from warehouse.connection import Warehouse

Row = dict[str, Any]

FOLDER = Path(__file__).parent / "trackers"
FILES = [file for folder in sorted(FOLDER.iterdir()) for file in sorted(folder.iterdir()) if file.name != "right.json"]
# A folder that is not called as its contract is.
CONTRACTS = {"posthog_capture": "posthog"}
# Columns that hold JSON.
OBJECTS = {"properties", "attributes_set", "attributes_set_once"}


def contract_of(file: Path) -> str:
    return CONTRACTS.get(file.parent.name, file.parent.name)


def right_of(file: Path) -> list[Row]:
    """The rows that must come out of a file, each with the columns that matter."""
    return list(json.loads((FOLDER / file.parent.name / "right.json").read_text()))


@dataclass(frozen=True)
class Loaded:
    """What became of each file, recognised; and of one of each kind of file, with its contract named."""

    by_itself: dict[Path, LoadResult]
    by_name: dict[Path, LoadResult]
    rows_of: Callable[[LoadResult, list[Row]], list[Row]]


@pytest.fixture(scope="module")
def loaded(shared_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """All files, and two of them as Parquet, loaded once each way."""
    folder = tmp_path_factory.mktemp("parquet")
    files = [*FILES, ga4_as_parquet(folder), posthog_as_parquet(folder)]

    def load(file: Path, contract: str) -> LoadResult:
        (result,) = load_paths(shared_warehouse, "events", [file], tenant="t", contract=contract)
        return result

    def rows_of(result: LoadResult, right: list[Row]) -> list[Row]:
        with shared_warehouse.client(shared_warehouse.settings.raw_database) as client:
            found = client.query(
                "SELECT * FROM events WHERE load_id = {load_id:String} ORDER BY line, timestamp, event",
                parameters={"load_id": result.load_id},
            )
            rows = list(found.named_results())
        assert len(rows) == len(right)
        return [{name: plain(name, row[name]) for name in of} for row, of in zip(rows, right, strict=True)]

    by_itself = {file: load(file, "") for file in files}
    kinds = {file.suffix: file for file in files}
    return Loaded(by_itself, {file: load(file, contract_of(file)) for file in kinds.values()}, rows_of)


def plain(name: str, value: Any) -> Any:
    """A value as right.json writes it."""
    if name in OBJECTS:
        return json.loads(value or "{}")
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S.%f}"
    return format(value.normalize(), "f") if isinstance(value, Decimal) else value


def ga4_as_parquet(folder: Path) -> Path:
    """BigQuery exports numbers as numbers there, lists as lists, and what a row lacks as null."""
    rows = [json.loads(line) for line in (FOLDER / "ga4" / "events.ndjson").read_text().splitlines()]
    for row in rows:
        row["event_timestamp"] = int(row["event_timestamp"])
        for pair in [*row["event_params"], *row.get("user_properties", [])]:
            value = pair["value"]
            pair["value"] = {
                "string_value": value.get("string_value"),
                "int_value": int(value["int_value"]) if "int_value" in value else None,
                "float_value": None,
                "double_value": value.get("double_value"),
            }
    return as_parquet(folder / "ga4" / "events.parquet", rows)


def posthog_as_parquet(folder: Path) -> Path:
    """Properties are JSON as text there, and times are times."""
    rows = [json.loads(line) for line in (FOLDER / "posthog" / "export.jsonl").read_text().splitlines()]
    for row in rows:
        for name in ("properties", "person_properties", "set", "set_once"):
            row[name] = json.dumps(row[name]) if row.get(name) is not None else None
        for name in ("timestamp", "created_at"):
            row[name] = datetime.fromisoformat(row[name]) if row.get(name) else None
    return as_parquet(folder / "posthog" / "export.parquet", rows)


def as_parquet(path: Path, rows: list[Row]) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    path.parent.mkdir()
    pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in names}), path)
    return path


@pytest.mark.parametrize(
    "name", [f"{file.parent.name}/{file.name}" for file in FILES] + ["events.parquet", "export.parquet"]
)
def test_a_file_is_recognised_and_read_right(loaded: Loaded, name: str) -> None:
    file = next(file for file in loaded.by_itself if str(file).endswith(f"/{name}"))
    result = loaded.by_itself[file]
    assert (result.status, result.rows_rejected) == ("loaded", 0), result.reason
    assert dict(result.findings.trackers) == {contract_of(file): result.rows_accepted}
    right = right_of(file)
    assert loaded.rows_of(result, right) == right


def test_a_contract_that_is_named_gives_what_a_recognised_one_gives(loaded: Loaded) -> None:
    for file, result in loaded.by_name.items():
        right = right_of(file)
        assert (result.status, result.rows_rejected) == ("loaded", 0), (file, result.reason)
        assert loaded.rows_of(result, right) == right, file
