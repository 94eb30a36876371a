"""`footfall status`: where the warehouse is, what was loaded and built last, what waits, what failed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cli.console import out
from ingest import landing_folder, quarantine
from ingest.sources import syncing
from privacy import requests
from warehouse import lease
from warehouse.connection import Warehouse, connect
from warehouse.server_files import ServerFiles
from warehouse.settings import get_settings

# The oldest server that whole builds were run on: year and number of the release.
_OLDEST_TRIED = (26, 9)

if TYPE_CHECKING:
    from rich.table import Table

    from orchestration.build_log import Build


def run_status() -> None:
    """Print the state of the warehouse; makes nothing, no warehouse either."""
    from rich.table import Table

    from orchestration import build_log
    from orchestration.plan import make_plan

    settings = get_settings()
    if settings.is_local and not ServerFiles.of_home(settings.home).data.exists():
        out().print(f"There is no warehouse in {settings.home} yet: footfall load or footfall demo makes one.")
        return
    with connect(settings) as warehouse:
        facts = Table.grid(padding=(0, 2))
        facts.add_column(style="bold")
        facts.add_column()
        facts.add_row("Warehouse", _where(warehouse))
        writer = lease.holder_of(warehouse)
        if writer is not None:
            facts.add_row("Writing", f"{writer.doing} ({writer})")
        facts.add_row("Last load", _last_load(warehouse))
        if warehouse.has_table(settings.raw_database, "source_syncs"):
            for source, at in sorted(syncing.read_at(warehouse).items()):
                facts.add_row("Last sync", f"{source}, as it was {_time(at)}")
        builds = build_log.builds(warehouse)
        facts.add_row("Last build", _build(builds[0]) if builds else "none yet")
        if builds and builds[0].status != "published":
            last = build_log.last_published(warehouse)
            facts.add_row("Published", _build(last) if last else "nothing yet")
        plan = make_plan(warehouse)
        facts.add_row("Waiting", "nothing" if plan.nothing_to_do else f"{plan.reason} (footfall build)")
        failed = builds[0].failed_checks if builds and builds[0].status == "failed" else ()
        if strays := landing_folder.strays(landing_folder.folder(settings)):
            facts.add_row("Not loaded", _not_loaded(strays))
        if quarantined := quarantine.counts(settings):
            facts.add_row("Quarantined", _quarantined(quarantined, quarantine.folder(settings)))
        if waiting := len(requests.standing(settings.home)):
            facts.add_row("To be forgotten", f"{waiting:,}, by the same `footfall forget` or the job forget_people")
        facts.add_row("Failed checks", "\n".join(failed) if failed else "none")
        out().print(facts)
        tables = _tables(warehouse)
        if tables:
            out().print()
            out().print(tables)


def _where(warehouse: Warehouse) -> str:
    with warehouse.client() as client:
        version = client.server_version
    settings = warehouse.settings
    kind = f"local, in {settings.home}" if settings.is_local else "of CLICKHOUSE_HOST"
    return f"ClickHouse {version} at {warehouse.host}:{warehouse.port} ({kind}){_older_than_tried(version)}"


def _older_than_tried(version: str) -> str:
    """A warning about a server older than any that Footfall was run on; empty for all others."""
    year, number = (int(part) for part in version.split(".")[:2])
    if (year, number) >= _OLDEST_TRIED:
        return ""
    return f"\nThis server is older than {_OLDEST_TRIED[0]}.{_OLDEST_TRIED[1]}, the oldest that Footfall was tried on."


def _last_load(warehouse: Warehouse) -> str:
    raw = warehouse.settings.raw_database
    if not warehouse.has_table(raw, "loads"):
        return "none yet"
    with warehouse.client() as client:
        rows = client.query(
            """
            SELECT `table`, path, status, rows_accepted, rows_rejected, rows_duplicate, committed_at
            FROM {raw:Identifier}.loads FINAL ORDER BY committed_at DESC LIMIT 1
            """,
            parameters={"raw": raw},
        ).result_rows
    if not rows:
        return "none yet"
    table, path, status, accepted, rejected, duplicate, at = rows[0]
    return (
        f"{path} into {table}, {status} {_time(at)}: "
        f"{accepted:,} rows accepted, {rejected:,} rejected, {duplicate:,} duplicate"
    )


def _not_loaded(strays: Sequence[landing_folder.Stray]) -> str:
    """The files of the landing folder that no load looks at, the first ten of them."""
    more = [f"and {len(strays) - 10} more"] if len(strays) > 10 else []
    return "\n".join([*map(str, strays[:10]), *more])


def _quarantined(counts: Mapping[str, int], folder: Path) -> str:
    """The posted rows that no load would take, and where they are with the reasons."""
    return f"{', '.join(f'{count:,} posted rows of {table}' for table, count in counts.items())}: {folder}"


def _build(build: "Build") -> str:
    when = f"published {_time(build.published_at)}" if build.published_at else f"started {_time(build.started_at)}"
    status = build.status.replace("_", " ")
    kind = "full" if build.full_refresh else "incremental"
    prefix = "" if build.status == "published" else f"{status}, "
    loads = f"loads {build.from_seq + 1} to {build.to_seq}" if build.from_seq < build.to_seq else "no new load"
    return f"{prefix}{when}, {kind}, {loads}"


def _tables(warehouse: Warehouse) -> "Table | None":
    from rich.table import Table

    settings = warehouse.settings
    with warehouse.client() as client:
        rows = client.query(
            """
            SELECT database, name, total_rows, total_bytes
            FROM system.tables
            WHERE database IN ({raw:String}, {published:String})
                AND total_rows IS NOT NULL
                AND NOT match(name, '^(int_|incoming_|\\.|tracking_key$|publish_journal$|writer_lease$|built_models$)')
            ORDER BY database != {raw:String}, name
            """,
            parameters={"raw": settings.raw_database, "published": settings.database},
        ).result_rows
    if not rows:
        return None
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Table")
    table.add_column("Rows", justify="right")
    table.add_column("MB", justify="right")
    for database, name, count, size in rows:
        table.add_row(f"{database}.{name}", f"{count:,}", f"{(size or 0) / 1e6:,.1f}")
    return table


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "?"
