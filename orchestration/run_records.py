"""Dagster's own record of runs, in SQLite files: the same files, written with less ado.

Dagster opens and closes the file of all runs several times per event, commits each time, and a build has hundreds of
events; that took longer than many of the models. Here a process opens that file once, and no commit waits for the
disk. The files are write-ahead logs, which such commits cannot damage: at worst, after the machine itself failed, the
last moments of a run are missing in the UI. What Footfall publishes is not recorded there.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
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
    """Dagster's event log, with the file of all runs kept open.

    The file of a single run is opened and closed as ever: the UI follows a run by watching that file change.
    """

    @cached_property
    def _index(self) -> Engine:
        with super().index_connection() as connection:  # makes the file's tables if it has none
            return create_engine(connection.engine.url, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})

    @contextmanager
    def index_connection(self) -> Iterator[Connection]:
        """A transaction in the file of all runs."""
        index = self._index
        with self._db_lock, index.begin() as connection:
            yield connection


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
