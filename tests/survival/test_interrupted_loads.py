"""Ctrl-C during a load: it ends at once, with nothing committed and nothing running on, here or at the server."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest import raw_tables
from ingest.loading import load_paths
from tests.cli.conftest import ROOT, environment_of
from tests.ingest.conftest import event, ndjson
from tests.survival.processes import wait_until
from warehouse.connection import Warehouse

# It is two seconds for people; this machine may be doing much else.
SECONDS = 8.0
ROWS = 400_000


@pytest.fixture(scope="module")
def big_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files that take the warehouse much longer than pressing Ctrl-C, of each kind that is sent differently."""
    folder = tmp_path_factory.mktemp("big")
    ids = pa.array(map(str, range(ROWS)))
    columns = {name: pa.array([value] * ROWS) for name, value in event(note="x" * 200).items()} | {"event_id": ids}
    pq.write_table(pa.table(columns), folder / "big.parquet")
    (line,) = ndjson([event(note="x" * 200)]).splitlines(keepends=True)
    (folder / "big.ndjson").write_bytes(line * ROWS)
    header, cells = (",".join(map(str, texts)) for texts in zip(*event(note="x" * 200).items(), strict=True))
    (folder / "big.csv").write_text(f"{header}\n" + f"{cells}\n" * ROWS)
    return {path.suffix[1:]: path for path in folder.iterdir()}


@contextmanager
def loading(warehouse: Warehouse, path: Path) -> Iterator["subprocess.Popen[str]"]:
    """`footfall load events`, at work at the server."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "load", "events", str(path)],
        cwd=ROOT, env=environment_of(warehouse), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert wait_until(lambda: bool(running(warehouse)), 60)
        yield process
    finally:
        process.kill()
        process.communicate()


def running(warehouse: Warehouse) -> list[Any]:
    """The statements of loads that the server is at."""
    with warehouse.client() as client:
        return list(
            client.query(
                "SELECT query_id FROM system.processes WHERE startsWith(query_id, {name:String})",
                parameters={"name": f"{warehouse.settings.raw_database}-load-"},
            ).result_rows
        )


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("ndjson", signal.SIGINT),
        ("ndjson", signal.SIGTERM),
        ("csv", signal.SIGINT),
        ("parquet", signal.SIGTERM),
    ],
)
def test_ctrl_c_ends_a_load(
    warehouse: Warehouse, big_files: dict[str, Path], kind: str, number: signal.Signals, tmp_path: Path
) -> None:
    raw_tables.create(warehouse)
    with loading(warehouse, big_files[kind]) as process:
        time.sleep(0.3)
        process.send_signal(number)
        began = time.monotonic()
        stdout, stderr = process.communicate(timeout=60)
        took = time.monotonic() - began
        assert running(warehouse) == []
    assert (process.returncode, stdout, stderr.strip()) == (130, "", "Interrupted.")
    assert took < SECONDS
    with warehouse.client(warehouse.settings.raw_database) as client:
        assert client.query("SELECT count() FROM loads").first_row == (0,)
    small = tmp_path / "small.ndjson"
    small.write_bytes(ndjson([event()]))
    assert [result.rows_accepted for result in load_paths(warehouse, "events", [small])] == [1]
    with warehouse.client(warehouse.settings.raw_database) as client:
        assert client.query("SELECT count() FROM events").first_row == (1,), "nothing of it is left"
