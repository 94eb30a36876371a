"""Rows that come one by one, kept durably in files: what was acknowledged is on disk, whatever happens next.

A file grows under a hidden name, which no load looks at, and gets its own when it is long or old enough. What a crash
left is taken up by the next one who appends: a last line that was never finished, hence never acknowledged, is cut off.
"""

import fcntl
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from io import FileIO
from pathlib import Path

from warehouse.errors import FootfallError

# A file is for one load: long enough to be worth it, and not much older than what waits.
_MAX_BYTES = 32 << 20
_MAX_SECONDS = 60.0
# How the names of the files begin.
POSTED = "posted-"
_HIDDEN = f".{POSTED}"
# While this file lies in a folder, whoever appends there ends each file at once.
_FINISH = ".finish"


class Appender:
    """Appends lines to files in `<folder>/YYYY-MM-DD`, by the day they come on (UTC). One at a time in a folder.

    Raises FootfallError if another process appends there.
    """

    def __init__(self, folder: Path, max_bytes: int = _MAX_BYTES, max_seconds: float = _MAX_SECONDS) -> None:
        self._folder = folder
        self._max_bytes, self._max_seconds = max_bytes, max_seconds
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / ".appending").open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FootfallError(
                f"Another process appends to {folder}.", "Only one API of a home can take rows: end the other one."
            ) from None
        self._file: FileIO | None = None
        self._path = folder
        self._day = date.min
        self._began = 0.0
        self._number = 0
        for left in sorted(folder.glob(f"*/{_HIDDEN}*")):
            _cut_off_unfinished(left)
            _finish(left)

    def append(self, lines: Sequence[bytes]) -> None:
        """Write lines, each without its line break; they are on disk when this returns.

        Raises OSError if they are not; then none of them counts.
        """
        if not lines:
            return
        self.rotate()
        file = self._file or self._begin()
        end = file.tell()
        try:
            text = memoryview(b"".join(line + b"\n" for line in lines))
            while text:
                text = text[file.write(text) :]
            os.fsync(file.fileno())
        except OSError:
            # Half of it may be there: nobody is told that it is kept, and it will be sent again.
            file.truncate(end)
            file.seek(end)
            raise

    def rotate(self, *, now: bool = False) -> None:
        """Give a file that is long or old enough, or of another day, its own name; `now` whatever it is."""
        if self._file is None:
            return
        is_old = time.monotonic() - self._began > self._max_seconds or self._day != _today()
        now = now or (self._folder / _FINISH).exists()
        if now or is_old or self._file.tell() >= self._max_bytes:
            self._file.close()
            self._file = None
            _finish(self._path)

    def close(self) -> None:
        """Let what was written be loaded, and others append."""
        self.rotate(now=True)
        self._lock.close()

    def _begin(self) -> FileIO:
        self._day, self._began = _today(), time.monotonic()
        self._number += 1
        folder = self._folder / self._day.isoformat()
        folder.mkdir(exist_ok=True)
        _sync(self._folder)
        self._path = folder / f"{_HIDDEN}{datetime.now(UTC):%H%M%S%f}-{os.getpid()}-{self._number}.ndjson"
        self._file = self._path.open("xb", buffering=0)
        _sync(folder)
        return self._file


def finish_open(folder: Path, seconds: float) -> None:
    """Have files that grow in a folder end and get their own names, by whoever appends there, or by us if nobody does.

    Returns after so many seconds at the latest, whether that was done or not.
    """
    with suppress(FootfallError):
        Appender(folder).close()
        return
    growing = set(folder.glob(f"*/{_HIDDEN}*"))
    asked = folder / _FINISH
    asked.touch()
    deadline = time.monotonic() + seconds
    while any(path.exists() for path in growing) and time.monotonic() < deadline:
        time.sleep(0.05)
    asked.unlink(missing_ok=True)


def _today() -> date:
    return datetime.now(UTC).date()


def _cut_off_unfinished(path: Path) -> None:
    with path.open("r+b") as file:
        text = file.read()
        file.truncate(text.rfind(b"\n") + 1)
        os.fsync(file.fileno())


def _finish(path: Path) -> None:
    """Give a file its own name, without the dot; one without a line goes."""
    if path.stat().st_size:
        path.rename(path.with_name(path.name.removeprefix(".")))
    else:
        path.unlink()
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
