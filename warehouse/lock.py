"""One writer at a time: a file lock among the commands of one home, and a lease in the warehouse among all homes."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import IO, Any

from warehouse.connection import Warehouse
from warehouse.errors import FootfallError
from warehouse.lease import Lease
from warehouse.settings import Settings

_POLL_SECONDS = 0.1


@contextmanager
def exclusive(warehouse: Warehouse, doing: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Lets this command alone write to the warehouse while the block lasts; `doing` says what for ("load events").

    The kernel frees the lock of the home when this process ends, however it ends. The lease in the warehouse, which
    keeps other homes away, is then taken over at once by the next command of this home, and by those of others when it
    is stale (`warehouse.lease`). Raises FootfallError, which says who is writing, if both are not free within
    `wait_seconds`; and when the block is interrupted because the lease was lost while this process slept.
    """
    deadline = time.monotonic() + wait_seconds
    with _lock_file(warehouse.settings) as file:
        _acquire(file, deadline)
        lease = Lease(warehouse, doing)
        note = {"pid": os.getpid(), "doing": doing, "since": f"{datetime.now():%H:%M:%S}"}
        # Whoever held the lock before us and left its lease here has ended without giving it up.
        dead = _read_note(file).get("leases", [])
        _write_note(file, {**note, "leases": [*dead, lease.id]})
        try:
            try:
                lease.take(deadline, dead)
            except FootfallError:
                _write_note(file, {"leases": dead})
                raise
            _write_note(file, {**note, "leases": [lease.id]})
            try:
                yield
            except KeyboardInterrupt:
                if lease.is_lost:
                    lease.require()
                raise
            finally:
                if lease.give_up():
                    _write_note(file, {})
        finally:
            # Closing would do, were it not for a forked child that still holds the same open file.
            fcntl.flock(file, fcntl.LOCK_UN)


def _lock_file(settings: Settings) -> IO[str]:
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        return (settings.home / "writer.lock").open("a+")
    except OSError as error:
        raise FootfallError(
            f"The folder for local state, {settings.home}, cannot be used: {error.strerror}.",
            "Set FOOTFALL_HOME to a folder you may write to.",
        ) from error


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


def _write_note(file: IO[str], note: dict[str, Any]) -> None:
    # The lock holds without it; on a full disk what was to be done has the clearer message.
    with suppress(OSError):
        os.ftruncate(file.fileno(), 0)
        os.write(file.fileno(), json.dumps(note).encode())  # opened for appending: the end is now the beginning


def _read_note(file: IO[str]) -> dict[str, Any]:
    """The note; empty if there is none, or if its writer took the lock this very moment."""
    file.seek(0)
    with suppress(ValueError):
        note = json.loads(file.read())
        if isinstance(note, dict):
            return note
    return {}


def _who(file: IO[str]) -> str:
    note = _read_note(file)
    return f" (pid {note['pid']}, since {note['since']}): {note['doing']}" if "pid" in note else ""
