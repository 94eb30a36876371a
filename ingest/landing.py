"""The landing folder, $FOOTFALL_HOME/landing/<table>/YYYY-MM-DD: the loads of a day are what lies there.

The folder is the truth: a file that changed supersedes its earlier load, and so does one that vanished.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from ingest import files, ledger, raw_tables
from ingest.loading import Loader, LoadResult
from ingest.spellings import table_named
from warehouse.connection import Warehouse


def folder(warehouse: Warehouse, table: str, day: date) -> Path:
    """Where the files of a table and a day are put."""
    return warehouse.settings.home / "landing" / table / day.isoformat()


def load_day(warehouse: Warehouse, table: str, day: date) -> list[LoadResult]:
    """Make the loads of a landing day what its folder holds; the caller holds the writer lock.

    A file that failed leaves its earlier load standing: bad input never costs good data.
    """
    return list(_load_day(warehouse, table, day))


def _load_day(warehouse: Warehouse, table: str, day: date) -> Iterator[LoadResult]:
    target = table_named(table)
    place, partition = folder(warehouse, target.name, day), day.isoformat()
    found = files.find([place]) if place.exists() else []
    yield from Loader(warehouse, target).load_all(found, replace=True, partition=partition)
    raw_tables.create(warehouse)
    there = {str(path.absolute()) for path in found}
    with warehouse.client() as client:
        raw = warehouse.settings.raw_database
        for load in ledger.standing(client, raw, target.name):
            if load.partition != partition or load.path in there:
                continue
            gone = ledger.Load(
                load_id=ledger.new_load_id(),
                load_seq=0,
                table=target.name,
                path=load.path,
                content_hash="",
                partition="",
                rows_accepted=0,
                rows_rejected=0,
                rows_duplicate=0,
                status="",
                superseded_seq=0,
                committed_at=datetime.now(UTC),
                version=0,
            )
            committed = ledger.commit(client, raw, gone, [load])
            yield LoadResult(
                Path(load.path), "superseded", load_seq=committed.load_seq, reason="the file is gone from the folder"
            )
