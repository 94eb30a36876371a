"""One writer at a time per home."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import IO

from warehouse.errors import FootfallError
from warehouse.settings import Settings

_POLL_SECONDS = 0.1


@contextmanager
def exclusive(settings: Settings, doing: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Holds the home's writer lock for as long as the block lasts; `doing` says what for ("load events").

    The kernel frees the lock when this process ends, however it ends. A server named by CLICKHOUSE_HOST is guarded
    in the same way, among the commands that share this home. Raises FootfallError, which says who holds the lock,
    if it is not free within `wait_seconds`.
    """
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        file = (settings.home / "writer.lock").open("a+")
    except OSError as error:
        raise FootfallError(
            f"The folder for local state, {settings.home}, cannot be used: {error.strerror}.",
            "Set FOOTFALL_HOME to a folder you may write to.",
        ) from error
    with file:
        _acquire(file, time.monotonic() + wait_seconds)
        _write_note(file, {"pid": os.getpid(), "doing": doing, "since": f"{datetime.now():%H:%M:%S}"})
        try:
            yield
        finally:
            _write_note(file, {})
            # Closing would do, were it not for a forked child that still holds the same open file.
            fcntl.flock(file, fcntl.LOCK_UN)


def _acquire(file: IO[str], deadline: float) -> None:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise FootfallError(
                    f"Another footfall command is writing to this warehouse{_who(file)}.",
                    "Wait for it to end, or end it, and run this again.",
                ) from None
            time.sleep(_POLL_SECONDS)


def _write_note(file: IO[str], note: dict[str, object]) -> None:
    # The lock holds without it; on a full disk what was to be done has the clearer message.
    with suppress(OSError):
        os.ftruncate(file.fileno(), 0)
        os.write(file.fileno(), json.dumps(note).encode())  # opened for appending: the end is now the beginning


def _who(file: IO[str]) -> str:
    file.seek(0)
    try:
        note = json.loads(file.read())
        return f" (pid {note['pid']}, since {note['since']}): {note['doing']}"
    except (ValueError, KeyError, TypeError):
        return ""  # it took the lock this very moment, and has not written its note yet
