"""Finding the processes of a footfall command, to kill one of them as nothing can prepare for."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path


def dbt_builds(parent: int) -> list[int]:
    """The living `dbt build` processes of a footfall command; not the dbt that parses the project before."""
    # A child that has not become dbt yet has the command line of its parent, `footfall build`, hence both words.
    return _children(parent, "dbt_process.py\0", "\0build\0")


def _children(parent: int, *words: str) -> list[int]:
    """The living processes that `parent` started and whose command line has all words (Linux: read from /proc)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # After the name, which may hold anything but ends at the last parenthesis: state, parent.
            state, its_parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(its_parent) != parent or state == "Z":
                continue
            command_line = (folder / "cmdline").read_text()
            if all(word in command_line for word in words):
                found.append(int(folder.name))
    return found


def server_of(home: Path) -> list[int]:
    """The server process of a home, whoever started it."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (folder / "cmdline").read_text().split("\0")[1:4] == ["-m", "warehouse.server", str(home)]:
                found.append(int(folder.name))
    return found


def is_alive(pid: int) -> bool:
    """Whether there is such a process that still does something."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kill(pid: int) -> None:
    """kill -9; no matter if it has ended by itself."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came to hold within that time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.02)
    return holds()
