"""A build in the background of a shell can be ended, and so is its dbt."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.errors import FAILED, INTERRUPTED
from tests.cli.conftest import ROOT, environment_of, footfall_of
from tests.conftest import drop
from warehouse.connection import Warehouse

ROW = '{"tenant_id": "t", "event": "click", "timestamp": "2026-03-01 12:00:00", "user_id": "u"}\n'


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_build_that_ignored_ctrl_c_ends_with_its_dbt(server: Warehouse, tmp_path: Path, number: int) -> None:
    drop(server)
    (tmp_path / "events.ndjson").write_text(ROW)
    footfall = footfall_of(server, DAGSTER_HOME=str(tmp_path / "dagster"))
    assert footfall("load", "events", str(tmp_path / "events.ndjson")).returncode == 0
    process = subprocess.Popen(
        # as a shell starts a command with & at its end
        ["/bin/sh", "-c", 'trap "" INT; exec "$0" "$@"', sys.executable, "-m", "cli.main", "build"],
        cwd=ROOT, env=environment_of(server, DAGSTER_HOME=str(tmp_path / "dagster")),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (children := _dbt_of(process.pid)):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.05)
    process.send_signal(number)
    _, told = process.communicate(timeout=30)
    # as interrupted, or as a failed build if Dagster, which the signal reaches too, was the first to end
    assert process.returncode in (INTERRUPTED, FAILED), told
    assert "nterrupted." in told
    assert not any(_is_running(child) for child in children)
    drop(server)


def _dbt_of(parent: int) -> list[int]:
    """The dbt processes that a process has begun."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if int(_state(place)[1]) == parent and b"dbt" in (place / "cmdline").read_bytes():
                found.append(int(place.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _is_running(process: int) -> bool:
    """Whether a process is at work; one that has ended may still be listed, as a zombie."""
    try:
        return _state(Path(f"/proc/{process}"))[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _state(place: Path) -> list[str]:
    """The state of a process, its parent's id, and more."""
    return (place / "stat").read_text().rpartition(")")[2].split()
