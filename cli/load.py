"""`footfall load …`: files into the raw tables, one line per file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict, Unpack

from cli.console import err, out, progress
from cli.definition_warnings import dropped_since, warnings
from ingest import files, landing_folder
from ingest.loading import LoadResult, load_paths
from ingest.tables import FUNNEL_STEPS, RETENTION_DEFINITIONS
from warehouse.connection import Warehouse, connect
from warehouse.errors import FootfallError
from warehouse.lock import exclusive
from warehouse.settings import get_settings


class LoadOptions(TypedDict, total=False):
    """The options of `footfall load`, as load_paths takes them."""

    tenant: str
    mapping: Mapping[str, str]
    constants: Mapping[str, str]
    contract: str
    timezone: str
    replace: bool


def run_load(table: str, paths: Sequence[Path], **options: Unpack[LoadOptions]) -> None:
    """Load and print a line per file; raises FootfallError in the end if any file failed."""
    settings = get_settings()
    with connect(settings) as warehouse, exclusive(warehouse, f"load {table}"):
        landing_folder.create(settings)
        results = load(warehouse, table, paths, **options)
    failed = [result for result in results if result.status == "failed"]
    if failed:
        others = len(results) - len(failed)
        raise FootfallError(
            f"{len(failed)} of {len(results)} files could not be loaded.",
            f"The other {others} are committed. " * (others > 0) + "Fix the files named above and load them again.",
        )


def load(warehouse: Warehouse, table: str, paths: Sequence[Path], **options: Unpack[LoadOptions]) -> list[LoadResult]:
    """Load on a connected warehouse, whose lock is held, and print a line per file."""
    results = []
    with progress(out(), f"Loading {table}") as how_far:
        for result in load_paths(warehouse, table, paths, **options):
            results.append(result)
            out().print(line(result))
            how_far(f"Loading {table}: {len(results)} files done")
    for left in files.left_alone(paths):
        out().print(f"left alone {left}")
    if table in (FUNNEL_STEPS, RETENTION_DEFINITIONS):
        loaded = [result.load_id for result in results if result.status in ("loaded", "superseded")]
        skipped = [result.load_id for result in results if result.status == "skipped"]
        for sentence in [*warnings(warehouse, table, loaded), *dropped_since(warehouse, table, skipped)]:
            err().print(f"Warning: {sentence}")
    return results


def line(result: LoadResult) -> str:
    """What became of one file: `loaded     events.ndjson: 1,000 rows accepted (ga4), 2 rejected, 0 duplicate`.

    Behind it stand the tenants it filled, rows of nobody, values that could not be read, and why rows were rejected.
    """
    tracker = f" ({result.findings.tracker})" if result.findings.tracker else ""
    rows = f"{result.rows_accepted:,} rows accepted{tracker}, {result.rows_rejected:,} rejected"
    erased = f"{result.rows_erased:,} of people who were erased, not kept" if result.rows_erased else ""
    cut = f"{result.rows_cut:,} older than what is kept, dropped" if result.rows_cut else ""
    told = [result.reason, *result.findings.sentences, erased, cut]
    more = "".join(f"; {sentence}" for sentence in told if sentence).removeprefix("; ")
    corrected = f", {result.events_corrected:,} corrected" if result.events_corrected else ""
    duplicate = f"{result.rows_duplicate:,} duplicate{corrected}"
    return f"{result.status:<10} {result.path}: {rows}, {duplicate}" + f" ({more})" * bool(more)
