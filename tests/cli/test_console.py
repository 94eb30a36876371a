"""Names are data: what looks like markup in one is printed as it is, in a pipe and on a terminal."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Footfall
from tests.ingest.conftest import event, ndjson

NAMES = ["orders[prod].ndjson", "a[/b]/c.ndjson", "[bold]b[/bold] :key:.ndjson", "[link=x]\\[y].ndjson"]


def on_a_terminal(code: str) -> str:
    """What a Python program shows on a terminal that is 400 columns wide."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "COLUMNS": "400", "TERM": "xterm", "NO_COLOR": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, stdin=follower, stdout=follower, stderr=follower
    ) as process:
        os.close(follower)
        shown = b""
        try:
            while block := os.read(leader, 65536):
                shown += block
        except OSError:  # how Linux says that the other side is closed
            pass
        os.close(leader)
    assert process.returncode == 0, shown.decode()
    return shown.decode()


def test_every_command_prints_names_as_they_are(footfall: Footfall, tmp_path: Path) -> None:
    for name in NAMES:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(ndjson([event(event_id=name)]))
        loaded = footfall("load", "events", str(file))
        assert (loaded.returncode, loaded.stderr) == (0, "")
        assert f"{file}: 1 rows accepted" in loaded.stdout
        status = footfall("status")
        assert (status.returncode, status.stderr) == (0, "")
        assert f"{file} into events, committed" in status.stdout.replace("\n", "")
        file.write_bytes(b"\x00\x01")
        broken = footfall("load", "events", str(file), "--tenant", "[/t]", "--map", "event=[/e]")
        assert broken.returncode == 1
        assert f"failed     {file}: " in broken.stdout


@pytest.mark.parametrize("name", NAMES)
def test_a_terminal_shows_names_as_they_are(name: str) -> None:
    shown = on_a_terminal(
        "from rich.table import Table; from cli.console import out, progress\n"
        f"name = {name!r}\n"
        "with progress(out(), 'first ' + name) as how_far:\n"
        "    how_far('then ' + name)\n"
        "    import time; time.sleep(0.2)\n"
        "table = Table(title='title ' + name); table.add_column('column ' + name); table.add_row('cell ' + name)\n"
        "out().print('line ' + name, style='bold'); out().print(table)\n"
    )
    for place in ("then", "title", "column", "cell", "line"):
        assert f"{place} {name}" in shown
