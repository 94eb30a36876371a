"""`footfall demo`: the bundled sample through the same load and the same job as any other data, then a look at it."""

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cli.build import build
from cli.console import out
from cli.demo_summary import print_summary
from cli.load import load
from ingest import commands, ledger
from ingest.sources.contract import contract_named
from ingest.sources.syncing import Options, load_file
from warehouse.connection import Warehouse, connect
from warehouse.errors import FootfallError
from warehouse.lock import exclusive
from warehouse.settings import get_settings


def run_demo() -> None:
    """Write, load, build, check, publish and show; again and again without harm: what is loaded is skipped."""
    stages: dict[str, float] = {}
    settings = get_settings()
    started = time.monotonic()
    with ExitStack() as stack:
        with _timed(stages, "start the warehouse"):
            warehouse = stack.enter_context(connect(settings))
        _load_sample(warehouse, stages)
        out().print("\nBuilding", style="bold")
        before = time.monotonic()
        outcome = build(warehouse)
        if outcome is not None:
            stages["start Dagster"] = time.monotonic() - before - sum(outcome.seconds.values())
            stages |= outcome.seconds
        print_summary(warehouse, stages, time.monotonic() - started)


def run_remove() -> None:
    """Withdraw what the demo loaded, build, and delete its files; raises FootfallError if the build failed."""
    settings = get_settings()
    folder = settings.home / "sample"
    with connect(settings) as warehouse:
        with exclusive(warehouse, "demo --remove"):
            withdrawn = _withdraw_sample(warehouse, folder)
        out().print(f"Withdrew {withdrawn} load{'' if withdrawn == 1 else 's'} of the demo from {folder}.")
        build(warehouse)
    shutil.rmtree(folder, ignore_errors=True)


def _withdraw_sample(warehouse: Warehouse, folder: Path) -> int:
    from sample.assistant import SOURCE

    raw = warehouse.settings.raw_database
    if not warehouse.has_table(raw, "loads"):
        return 0
    with warehouse.client() as client:
        loads = ledger.below(client, raw, str(folder.absolute()))
        loads += ledger.below(client, raw, commands.path_of("sync", SOURCE))
        standing = [load for load in loads if load.stands]
        return len(ledger.withdraw(client, raw, standing))


def _load_sample(warehouse: Warehouse, stages: dict[str, float]) -> None:
    from sample.assistant import write_assistant
    from sample.generate import write_sample

    folder = warehouse.settings.home / "sample"
    with _timed(stages, "write the sample"):
        files = write_sample(folder)
        tables = write_assistant(folder / "assistant")
    out().print(f"Loading the sample from {warehouse.settings.home / 'sample'}", style="bold")
    with _timed(stages, "load"), exclusive(warehouse, "demo"):
        results = [
            result
            for table, paths in (
                ("events", files.events),
                ("identity_mappings", files.identity_mappings),
                ("funnel_steps", files.funnels),
                ("retention_definitions", files.retention_definitions),
            )
            # an older version's sample gives way to this one's
            for result in load(warehouse, table, paths, replace=True)
        ]
        _load_assistant(warehouse, tables)
    if any(result.status == "failed" for result in results):
        raise FootfallError("A file of the sample could not be loaded.", "The lines above say which and why.")


def _load_assistant(warehouse: Warehouse, tables: dict[str, Path]) -> None:
    """The tables of an MCP platform, as `footfall load source-table` takes them; under a name of their own."""
    from sample.assistant import READ_AT, SOURCE

    contract = contract_named(warehouse.settings.home, "mcp_obs").model_copy(update={"name": SOURCE})
    for table, path in tables.items():
        one = load_file(warehouse, contract, contract.table(table), path, Options(read_at=READ_AT))
        out().print(f"loaded     {one.sentence}")


@contextmanager
def _timed(stages: dict[str, float], stage: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    stages[stage] = time.monotonic() - started
