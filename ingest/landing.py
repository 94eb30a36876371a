"""Loading a day of the landing folder: the loads of the day become what lies there.

The folder is the truth: a file that changed supersedes its earlier load, and so does one that vanished, or one that
is to be read with other options (footfall.yml).
"""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from ingest import files, landing_folder, ledger
from ingest.landing_options import options_of
from ingest.loading import Loader, LoadResult
from ingest.recognition import Options
from ingest.tables import Table, table_named
from warehouse.connection import Warehouse
from warehouse.errors import FootfallError
from warehouse.settings import Settings


def load_day(warehouse: Warehouse, table: str, day: date) -> list[LoadResult]:
    """Make the loads of a landing day what its folder holds; the caller holds the writer lock and made the raw tables.

    A file that failed leaves its earlier load standing: bad input never costs good data. Raises FootfallError if the
    day has loads and the landing folder is empty or not there at all, or if a footfall.yml cannot be used.
    """
    return list(_load_day(warehouse, table, day))


def options_of_day(settings: Settings, table: Table, day: str) -> Options:
    """What the files of a landing day are read with, by its footfall.yml. Raises OptionsProblem."""
    options = options_of(landing_folder.folder(settings), table, day)
    return Options(options.tenant, options.map, options.set, options.contract, options.timezone)


def _load_day(warehouse: Warehouse, table: str, day: date) -> Iterator[LoadResult]:
    target = table_named(table)
    landing, partition = landing_folder.folder(warehouse.settings), day.isoformat()
    place = landing / target.name / partition
    read_with = options_of_day(warehouse.settings, target, partition)
    read_with.require(warehouse.settings, target)
    loader = Loader(warehouse, target, read_with)
    _require_landing(place.parent, _standing(warehouse, target, partition))
    found = files.find([place]) if place.exists() else []
    skipped = []
    is_interrupted = False
    for result in loader.load_all(found, replace=True, partition=partition):
        is_interrupted |= result.is_retryable
        if result.status == "skipped":
            skipped.append(result)
        else:
            yield result
    if is_interrupted:
        # The day has to be loaded again; until then no load is taken for that of a file that is gone.
        yield from skipped
        return
    # A file that was renamed: the load under its old name goes on to stand for it.
    kept = {result.load_id for result in skipped}
    standing = _standing(warehouse, target, partition)
    paths = {str(path.absolute()) for path in found}
    yield from _let_go(warehouse, [load for load in standing if load.path not in paths and load.load_id not in kept])
    # Files whose content came from a file that has changed since are loaded now.
    there = {load.load_id for load in standing}
    yield from (result for result in skipped if result.load_id in there)
    orphaned = [result.path for result in skipped if result.load_id not in there]
    yield from loader.load_all(orphaned, replace=True, partition=partition)


def _standing(warehouse: Warehouse, table: Table, partition: str) -> list[ledger.Load]:
    with warehouse.client() as client:
        return ledger.of_day(client, warehouse.settings.raw_database, table.name, partition)


def _require_landing(landing: Path, standing: Sequence[ledger.Load]) -> None:
    """A disk that is not there must not look like files that were taken away."""
    if standing and not (landing.is_dir() and any(landing.iterdir())):
        raise FootfallError(
            f"{landing} is empty or not there, so nothing was loaded or withdrawn.",
            "Mount it, or make the folder of the day if its files are meant to be gone.",
        )


def _let_go(warehouse: Warehouse, gone: Sequence[ledger.Load]) -> Iterator[LoadResult]:
    """Supersede the loads of files that are no longer there."""
    raw = warehouse.settings.raw_database
    with warehouse.client() as client:
        lines = ledger.withdraw(client, raw, gone)
    for line in lines:
        yield LoadResult(
            Path(line.path), "superseded", load_seq=line.load_seq, reason="the file is gone from the folder"
        )
