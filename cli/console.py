"""Where the command line writes: results to stdout, progress and errors to stderr.

What is printed is text as it is. Names of files, tenants, events and checks are data: `[prod]` or `:key:` in one of
them is no markup. What is to look different is a `rich.text.Text` with a style.
"""

import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
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


@contextmanager
def progress(console: "Console", text: str) -> Iterator[Callable[[str], None]]:
    """One line that says what is being done, on a terminal only; the function it gives changes the text."""
    from rich.text import Text

    # rich's own status reads text as markup, whatever its console does
    with console.status(Text(text)) as status:
        yield lambda changed: status.update(Text(changed))


def _console(descriptor: int) -> "Console":
    from rich.console import Console

    # A descriptor of its own, so that it still reaches the terminal while `output_into` sends all else to a log.
    stream = os.fdopen(os.dup(descriptor), "w", encoding="utf-8", buffering=1, errors="replace")
    # Logs and pipes have no width; 160 columns keep the tables readable there.
    width = None if stream.isatty() else 160
    return Console(file=stream, markup=False, emoji=False, highlight=False, width=width, soft_wrap=not stream.isatty())


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str] = ()) -> None:
    """Print rows under their columns, those named in `right` aligned to the right.

    On a terminal the cells are folded to its width; elsewhere every row is one line, however long.
    """
    if out().is_terminal:
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, justify="right" if column in right else "left", overflow="fold")
        for row in rows:
            table.add_row(*row)
        out().print(table)
        return
    lines = [columns, *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        cells = (
            cell.rjust(width) if column in right else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        )
        out().print("  ".join(cells).rstrip())


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
