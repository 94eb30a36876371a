"""Ctrl-C and SIGTERM."""

import signal
from types import FrameType


def end_on_signals() -> None:
    """Have SIGINT and SIGTERM end this command as Ctrl-C does: by a KeyboardInterrupt.

    By hand, for a shell starts background commands with SIGINT ignored, and SIGTERM would let nothing be put in order:
    the dbt of a build would go on.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
