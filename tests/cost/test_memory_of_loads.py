"""The server's memory while a file is loaded is that of a few blocks of rows, however big the file."""

import csv
import itertools
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import orjson
import pytest

from benchmarks.generate import write_days
from ingest import ledger
from ingest.loading import load_paths
from warehouse.connection import Warehouse

SMALL, BIG = 20_000_000, 80_000_000
# A file of any size takes so much, over all its streams.
MOST = 1 << 30
# Of four times the bytes; a small file is written as one block, while of a big one the next block is under way by then.
LARGEST_GROWTH = 2


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("generated")
    days = write_days(folder, events_per_day=1000, days=10, first_day=date(2026, 1, 1))
    return [line for path in days for line in path.read_bytes().splitlines(keepends=True)]


def until(size: int, lines: list[bytes]) -> Iterator[bytes]:
    """The lines again and again, as many bytes as that."""
    for line in itertools.cycle(lines):
        yield line
        size -= len(line)
        if size <= 0:
            return


def write(path: Path, size: int, lines: list[bytes]) -> Path:
    """A file of about that size, of the kind its ending says."""
    if path.suffix == ".ndjson":
        with path.open("wb") as file:
            file.writelines(until(size, lines))
        return path
    names = ["uuid", "tenant_id", "event", "timestamp", "distinct_id", "properties"]
    with path.open("w", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(names)
        for line in until(size, lines):
            row = orjson.loads(line)
            row["properties"] = orjson.dumps(row["properties"]).decode()
            writer.writerow([row[name] for name in names])
    return path


def memory_of_load(warehouse: Warehouse, path: Path) -> list[int]:
    """The most that each statement of a load had in memory, in bytes."""
    (result,) = load_paths(warehouse, "events", [path])
    assert result.status == "loaded", result.reason
    raw = warehouse.settings.raw_database
    with warehouse.client() as client:
        client.command("SYSTEM FLUSH LOGS")
        rows = client.query(
            "SELECT memory_usage FROM system.query_log"
            " WHERE type = 'QueryFinish' AND (startsWith(query_id, {load:String}) OR log_comment = {load:String})",
            parameters={"load": ledger.query_id(raw, result.load_id)},
        ).result_rows
    return [int(row[0]) for row in rows]


@pytest.mark.parametrize("kind", ["ndjson", "csv"])
def test_memory_does_not_grow_with_the_file(
    warehouse: Warehouse, lines: list[bytes], kind: str, tmp_path: Path
) -> None:
    small, big = (memory_of_load(warehouse, write(tmp_path / f"{size}.{kind}", size, lines)) for size in (SMALL, BIG))
    assert max(big) < LARGEST_GROWTH * max(small)
    assert sum(big) < MOST
