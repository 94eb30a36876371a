"""Who reads while a build runs and publishes sees the previous version or the new one, whole, and never an error."""

import random
import threading
from pathlib import Path

import pytest

from tests.cli.conftest import footfall_of
from tests.exactness.builds import Builder
from tests.exactness.stories import File, event
from warehouse.connection import Warehouse

READERS = 2
# Tables, and a view over them.
TABLES = ["sessions", "users", "user_days", "identities", "session_stats_daily", "events"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_readers_see_one_version_or_the_other(warehouse: Warehouse, tmp_path: Path) -> None:
    rng = random.Random(11)
    builder = Builder(warehouse, tmp_path / "files")
    footfall = footfall_of(warehouse)
    rows = [event(rng) for _ in range(160)]
    builder.load(File("events", "first.ndjson", rows[:80]))
    assert footfall("build").returncode == 0
    before = _sizes(warehouse)
    builder.load(File("events", "second.ndjson", rows[80:]))

    seen: list[tuple[str, int]] = []
    errors: list[str] = []
    is_over = threading.Event()

    def read() -> None:
        with warehouse.client(warehouse.settings.database) as client:
            while not is_over.is_set():
                for name in TABLES:
                    try:
                        rows = client.query("SELECT count() FROM {name:Identifier}", parameters={"name": name})
                        seen.append((name, rows.first_row[0]))
                    except Exception as error:  # whatever it is, a reader has seen it
                        errors.append(f"{name}: {error}")
                is_over.wait(0.005)

    readers = [threading.Thread(target=read) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    try:
        result = footfall("build")
    finally:
        is_over.set()
        for reader in readers:
            reader.join()

    assert result.returncode == 0, result.stderr
    assert "Building: 1 new load" in result.stderr
    after = _sizes(warehouse)
    assert errors == []
    assert before["sessions"] != after["sessions"]
    partial = {(name, count) for name, count in seen if count not in (before[name], after[name])}
    assert partial == set()
    assert {count for name, count in seen if name == "sessions"} == {before["sessions"], after["sessions"]}


def _sizes(warehouse: Warehouse) -> dict[str, int]:
    with warehouse.client(warehouse.settings.database) as client:
        return {
            name: client.query("SELECT count() FROM {name:Identifier}", parameters={"name": name}).first_row[0]
            for name in TABLES
        }
