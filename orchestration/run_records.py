"""Dagster's own record of runs, in SQLite files: the same files, written with less ado.

Dagster opens and closes the file of the run and that of all runs several times per event, commits each time, and a
build has hundreds of events; that took longer than many of the models. Here a process opens a file once, and no commit
waits for the disk. The files are write-ahead logs, which such commits cannot damage: at worst, after the machine
itself failed, the last moments of a run are missing in the UI. What Footfall publishes is not recorded there.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine


def do_not_wait_for_the_disk() -> None:
    """From now on commits to SQLite files in this process reach the disk with the next checkpoint of their log."""
    event.listen(Engine, "connect", _set_up)


def _set_up(connection: Any, _record: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = NORMAL")


class _EventLog(SqliteEventLogStorage):
    """Dagster's event log, with two files kept open: that of all runs and that of the run last worked with."""

    def __init__(self, base_dir: str) -> None:
        self._open: dict[str, Engine] = {}
        super().__init__(base_dir)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        """A transaction in the file of a run, or in that of all runs."""
        engine = self._engine(shard)
        with self._db_lock, engine.begin() as connection:
            yield connection

    def _engine(self, shard: str) -> Engine:
        engine = self._open.get(shard)
        if engine is None:
            with super()._connect(shard) as connection:  # makes the file's tables if it has none
                url = connection.engine.url
            engine = create_engine(url, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})
            with self._db_lock:
                for other in self._open.keys() - {INDEX_SHARD_NAME}:
                    self._open.pop(other).dispose()
                self._open[shard] = engine
        return engine

    def store_event(self, event: EventLogEntry) -> None:
        """Write an event into its run's file and, if it is about an asset or the run's status, into that of all."""
        super().store_event(event)
        # The UI follows a run by watching that file; what is written to its log alone, the UI would see too late.
        with suppress(FileNotFoundError):
            os.utime(self.path_for_shard(event.run_id))

    def wipe(self) -> None:
        """Forget all runs; their files go."""
        self._close()
        super().wipe()

    def dispose(self) -> None:
        """Close all files."""
        super().dispose()
        self._close()

    def _close(self) -> None:
        while self._open:
            self._open.popitem()[1].dispose()


class RunRecords(DagsterSqliteStorage):
    """The storage that the `dagster.yaml` of a Footfall home names; its files are where Dagster's default has them."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        """`base_dir` is the folder of the Dagster instance."""
        super().__init__(base_dir, inst_data)
        self._event_log_storage = _EventLog(str(Path(base_dir) / "history" / "runs"))

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Any) -> "RunRecords":
        """What Dagster calls to make one from `dagster.yaml`."""
        return cls.from_local(inst_data=inst_data, **config_value)
