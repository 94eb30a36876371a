"""Where the command line writes: results to stdout, progress and errors to stderr."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@cache
def out() -> "Console":
    """The console for results."""
    return _console(sys.stdout.fileno())


@cache
def err() -> "Console":
    """The console for progress and for errors."""
    return _console(sys.stderr.fileno())


def _console(descriptor: int) -> "Console":
    from rich.console import Console

    # A descriptor of its own, so that it still reaches the terminal while `output_into` sends all else to a log.
    stream = os.fdopen(os.dup(descriptor), "w", encoding="utf-8", buffering=1, errors="replace")
    console = Console(file=stream, highlight=False, soft_wrap=not stream.isatty())
    if not stream.isatty():
        # Logs and pipes have no width; 160 columns keep the tables readable there.
        console = Console(file=stream, highlight=False, width=160, soft_wrap=True)
    return console


@contextmanager
def output_into(log: Path) -> Iterator[None]:
    """Send what this process and its children print (dbt, Dagster) to a log file; our consoles still print."""
    out()
    err()
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, original in enumerate(kept, start=1):
            os.dup2(original, descriptor)
            os.close(original)
