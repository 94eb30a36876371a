"""Dagster's own record of runs, in SQLite files, without waiting for the disk.

Dagster commits several times per event, and a build has hundreds of events; waiting for the disk each time took longer
than many of the models. The files are write-ahead logs, which such commits cannot damage: at worst, after the machine
itself failed, the last moments of a run are missing in the UI. What Footfall publishes is not recorded there.
"""

import sqlite3
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine


def do_not_wait_for_the_disk() -> None:
    """From now on commits to SQLite files in this process reach the disk with the next checkpoint of their log."""
    event.listen(Engine, "connect", _set_up)


def _set_up(connection: Any, _record: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = NORMAL")
