"""The landing folder, $FOOTFALL_HOME/landing/<table>/YYYY-MM-DD: the loads of a day are what lies there.

The folder is the truth: a file that changed supersedes its earlier load, and so does one that vanished.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from ingest import files, ledger
from ingest.loading import Loader, LoadResult
from ingest.spellings import Table, table_named
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
    loader = Loader(warehouse, target)
    skipped = []
    for result in loader.load_all(found, replace=True, partition=partition):
        if result.status == "skipped":
            skipped.append(result)
        else:
            yield result
    yield from _let_go(warehouse, target, found, partition)
    yield from _still_loaded(warehouse, target, loader, skipped, partition)


def _still_loaded(
    warehouse: Warehouse, table: Table, loader: Loader, skipped: list[LoadResult], partition: str
) -> Iterator[LoadResult]:
    """The skipped files; those whose content came from a file that has changed or vanished since are loaded now."""
    with warehouse.client() as client:
        standing = {load.load_id for load in ledger.standing(client, warehouse.settings.raw_database, table.name)}
    yield from (result for result in skipped if result.load_id in standing)
    orphaned = [result.path for result in skipped if result.load_id not in standing]
    yield from loader.load_all(orphaned, replace=True, partition=partition)


def _let_go(warehouse: Warehouse, table: Table, found: list[Path], partition: str) -> Iterator[LoadResult]:
    """Supersede the loads of files that are no longer there."""
    there = {str(path.absolute()) for path in found}
    with warehouse.client() as client:
        raw = warehouse.settings.raw_database
        for load in ledger.standing(client, raw, table.name):
            if load.partition != partition or load.path in there:
                continue
            gone = ledger.Load(
                load_id=ledger.new_load_id(),
                load_seq=0,
                table=table.name,
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
