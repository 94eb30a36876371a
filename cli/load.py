"""`footfall load …`: files into the raw tables, one line per file."""

from collections.abc import Sequence
from pathlib import Path

from cli.console import err, out, progress
from cli.definition_warnings import dropped_since, warnings
from cli.interrupts import end_on_signals
from ingest import files, landing_folder
from ingest.loading import LoadResult, load_paths
from ingest.spellings import FUNNEL_STEPS, RETENTION_DEFINITIONS
from warehouse.connection import Warehouse, connect
from warehouse.errors import FootfallError
from warehouse.lock import exclusive
from warehouse.settings import get_settings


def run_load(table: str, paths: Sequence[Path], *, tenant: str, mapping: dict[str, str], replace: bool) -> None:
    """Load and print a line per file; raises FootfallError in the end if any file failed."""
    settings = get_settings()
    end_on_signals()
    with connect(settings) as warehouse, exclusive(warehouse, f"load {table}"):
        landing_folder.create(settings)
        results = load(warehouse, table, paths, tenant=tenant, mapping=mapping, replace=replace)
    failed = [result for result in results if result.status == "failed"]
    if failed:
        others = len(results) - len(failed)
        raise FootfallError(
            f"{len(failed)} of {len(results)} files could not be loaded.",
            f"The other {others} are committed. " * (others > 0) + "Fix the files named above and load them again.",
        )


def load(
    warehouse: Warehouse,
    table: str,
    paths: Sequence[Path],
    *,
    tenant: str = "",
    mapping: dict[str, str] | None = None,
    replace: bool = False,
) -> list[LoadResult]:
    """Load on a connected warehouse, whose lock is held, and print a line per file."""
    results = []
    with progress(out(), f"Loading {table}") as how_far:
        for result in load_paths(warehouse, table, paths, tenant=tenant, mapping=mapping or {}, replace=replace):
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
    """What became of one file: `loaded     events.ndjson: 1,000 rows accepted, 2 rejected, 0 duplicate`."""
    rows = f"{result.rows_accepted:,} rows accepted, {result.rows_rejected:,} rejected"
    reason = f" ({result.reason})" if result.reason else ""
    return f"{result.status:<10} {result.path}: {rows}, {result.rows_duplicate:,} duplicate{reason}"
