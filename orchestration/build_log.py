"""`build_log` in the published database: one row per build, kept by the orchestration, never swapped by publishing.

It is for people. What is published is said by the journal of publishing, which changes together with the tables; the
log follows it (`settle`).
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from clickhouse_connect.driver.exceptions import ClickHouseError

from warehouse import publishing
from warehouse.connection import Warehouse

Status = Literal["running", "published", "failed", "rolled_back"]

_CREATE = """
CREATE TABLE IF NOT EXISTS {db:Identifier}.build_log
(
    build_id       String,
    from_seq       UInt64,
    to_seq         UInt64,
    started_at     DateTime64(6, 'UTC'),
    published_at   Nullable(DateTime64(6, 'UTC')),
    full_refresh   Bool,
    status         LowCardinality(String),
    project_hash   String,
    failed_checks  Array(String),
    version        UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY build_id
COMMENT 'One row per build: what it covered, when it was published, how it ended'
"""

_COLUMNS = (
    "build_id",
    "from_seq",
    "to_seq",
    "started_at",
    "published_at",
    "full_refresh",
    "status",
    "project_hash",
    "failed_checks",
)


@dataclass(frozen=True)
class Build:
    """One row of the build log.

    It covers the loads with from_seq < load_seq <= to_seq; `build_id` is the Dagster run's id; `project_hash` the
    fingerprint of the project and the tracking key that it was built with; `failed_checks` names what stopped it.
    """

    build_id: str
    from_seq: int
    to_seq: int
    started_at: datetime
    published_at: datetime | None
    full_refresh: bool
    status: Status
    project_hash: str
    failed_checks: tuple[str, ...] = ()


def settle(warehouse: Warehouse, *, full_refresh: bool = False) -> None:
    """Finish what was interrupted and let the log say what is; call it with the lock held, so that nothing can run.

    A swap that a crash interrupted is finished; the log then calls that build published that people read, the one
    that a rollback took back rolled back, and every other that seems to run interrupted. Raises FootfallError if
    the swap cannot be finished; with `full_refresh`, which replaces everything, it is forgotten.
    """
    publishing.recover(warehouse, full_refresh)
    standing = publishing.standing(warehouse)
    for build in builds(warehouse):
        if build.build_id == standing.published.build_id:
            if build.status != "published":
                published(warehouse, build.build_id)
        elif build.build_id == standing.rolled_back.build_id:
            if build.status != "rolled_back":
                _write(warehouse, replace(build, status="rolled_back"))
        elif build.status == "running":
            failed(warehouse, build.build_id, ("interrupted",))


def start(warehouse: Warehouse, build: Build) -> None:
    """Write a build as running."""
    _create(warehouse)
    _write(warehouse, build)


def published(warehouse: Warehouse, build_id: str) -> None:
    """Write that the build is what people now read."""
    build = replace(get(warehouse, build_id), status="published", published_at=datetime.now(UTC), failed_checks=())
    _write(warehouse, build)


def failed(warehouse: Warehouse, build_id: str, checks: tuple[str, ...]) -> None:
    """Write that the build ended without being published, and what stopped it."""
    _write(warehouse, replace(get(warehouse, build_id), status="failed", failed_checks=checks))


def builds(warehouse: Warehouse) -> list[Build]:
    """All builds, the latest first; empty if nothing was ever built."""
    if not warehouse.has_table(warehouse.settings.database, "build_log"):
        return []
    with warehouse.client() as client:
        rows = client.query(
            f"SELECT {', '.join(_COLUMNS)} FROM {{db:Identifier}}.build_log FINAL ORDER BY started_at DESC",  # noqa: S608 - our own column names
            parameters={"db": warehouse.settings.database},
        ).named_results()
        return [Build(**{**row, "failed_checks": tuple(row["failed_checks"])}) for row in rows]


def get(warehouse: Warehouse, build_id: str) -> Build:
    """The build of that id. Raises KeyError if the log has none."""
    for build in builds(warehouse):
        if build.build_id == build_id:
            return build
    raise KeyError(build_id)


def last_published(warehouse: Warehouse) -> Build | None:
    """The build whose tables people read; None before the first, or if the log does not know it."""
    build_id = publishing.standing(warehouse).published.build_id
    return next((build for build in builds(warehouse) if build.build_id == build_id), None)


def _create(warehouse: Warehouse) -> None:
    with warehouse.client() as client:
        database = {"db": warehouse.settings.database}
        client.command("CREATE DATABASE IF NOT EXISTS {db:Identifier}", parameters=database)
        client.command(_CREATE, parameters=database)


def _write(warehouse: Warehouse, build: Build) -> None:
    row = [getattr(build, column) for column in _COLUMNS]
    row[_COLUMNS.index("failed_checks")] = list(build.failed_checks)
    with warehouse.client(warehouse.settings.database) as client:
        # Counted, with the lock held: after a clock was set back, its time would let what was written before win.
        version = int(client.query("SELECT max(version) FROM build_log").first_row[0]) + 1
        client.insert("build_log", [[*row, version]], column_names=[*_COLUMNS, "version"])
        # For those who read the table without FINAL; it is small. What is written stands whether this works or not.
        with suppress(ClickHouseError):
            client.command("OPTIMIZE TABLE build_log FINAL")
