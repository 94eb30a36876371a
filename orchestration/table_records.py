"""What the record of a build says of each table: its materialization, with figures of what people read."""

import re
import time
from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import dagster as dg
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from orchestration import nobodys_events
from orchestration.dbt_run import NodeResult
from orchestration.model_assets import LEDGER, MANIFEST, MODEL_SPECS, PUBLISHED_SPEC
from orchestration.pictures import picture_metadata
from orchestration.run import RECORD
from warehouse.connection import Warehouse
from warehouse.publishing import UNPUBLISHED

# Dagster's names for what it compares to find out whether an asset is behind: tests/orchestration/test_webserver.py
# says so if they are not these any more.
_DATA_VERSION = "dagster/data_version"
_CODE_VERSION = "dagster/code_version"
_INPUT_VERSION = "dagster/input_data_version"
_INPUT_POINTER = "dagster/input_event_pointer"

# The parts of a build stand in the record of `published` under this word.
SECONDS = "seconds: "

# Tables that tell how many of the events are of nobody.
_TABLES_OF_EVENTS = {"events", "events_hourly"}
# dbt's comment at the beginning of each of its statements says for which model it runs it.
_NODE_OF_STATEMENT = re.compile(r'"node_id": "([^"]+)"')


@dataclass(frozen=True)
class PublishedBuild:
    """A build that people read: its id, the loads it covers, whether all was built anew, and what dbt says of it.

    Of a build that this run did not make only the first two are known.
    """

    build_id: str
    to_seq: int
    from_seq: int = 0
    full_refresh: bool = False
    rebuilt: Set[str] = frozenset()
    started_at: datetime | None = None
    results: Mapping[str, NodeResult] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class RawVersion:
    """The state of a raw asset before the build began: its data version, and where that stands in Dagster's record."""

    data_version: str = "INITIAL"
    storage_id: int | None = None


def raw_versions(instance: dg.DagsterInstance) -> dict[dg.AssetKey, RawVersion]:
    """The present state of everything that the models read and no build makes."""
    made = {spec.key for spec in MODEL_SPECS.values()}
    raw = {dep.asset_key for spec in MODEL_SPECS.values() for dep in spec.deps} - made
    return {key: _raw_version(instance, key) for key in raw}


def _raw_version(instance: dg.DagsterInstance, key: dg.AssetKey) -> RawVersion:
    records = [
        *instance.fetch_materializations(key, limit=1).records,
        *instance.fetch_observations(key, limit=1).records,
    ]
    if not records:
        return RawVersion()
    latest = max(records, key=lambda record: record.storage_id)
    event = latest.event_log_entry.asset_materialization or latest.event_log_entry.asset_observation
    tags = (event.tags if event else None) or {}
    # What has no version of its own has a new one each time, as Dagster sees it.
    return RawVersion(tags.get(_DATA_VERSION) or latest.event_log_entry.run_id or "INITIAL", latest.storage_id)


def materializations(
    warehouse: Warehouse, build: PublishedBuild, raw: Mapping[dg.AssetKey, RawVersion]
) -> Iterator[dg.AssetMaterialization]:
    """A materialization of every table of the build, and of `published` as the last."""
    started = time.monotonic()
    with warehouse.client() as client:
        read = _rows_read(warehouse, client, build)
        for unique_id, spec in MODEL_SPECS.items():
            yield _materialization(spec, build, raw, metadata_of(warehouse, client, unique_id, build, read))
    yield _materialization(
        PUBLISHED_SPEC,
        build,
        raw,
        {
            "build": build.build_id,
            "loads up to": build.to_seq,
            "loads from": build.from_seq,
            "full refresh": build.full_refresh,
            **{f"{SECONDS}{stage}": seconds for stage, seconds in build.seconds.items()},
            f"{SECONDS}{RECORD}": time.monotonic() - started,
        },
    )


def is_recorded(instance: dg.DagsterInstance, build_id: str) -> bool:
    """Whether the record says of every table that this build is what people read."""
    for spec in (*MODEL_SPECS.values(), PUBLISHED_SPEC):
        event = instance.get_latest_materialization_event(spec.key)
        latest = event.asset_materialization if event else None
        if latest is None or (latest.tags or {}).get(_DATA_VERSION) != build_id:
            return False
    return True


def _materialization(
    spec: dg.AssetSpec, build: PublishedBuild, raw: Mapping[dg.AssetKey, RawVersion], metadata: Mapping[str, Any]
) -> dg.AssetMaterialization:
    tags = {_DATA_VERSION: build.build_id, _CODE_VERSION: spec.code_version or build.build_id}
    for dep in spec.deps:
        # What one build makes is of one version; and of the ledger it knows how far it was read.
        version = raw.get(dep.asset_key, RawVersion(build.build_id))
        name = dep.asset_key.to_user_string()
        tags[f"{_INPUT_VERSION}/{name}"] = str(build.to_seq) if dep.asset_key == LEDGER else version.data_version
        tags[f"{_INPUT_POINTER}/{name}"] = "NULL" if version.storage_id is None else str(version.storage_id)
    return dg.AssetMaterialization(spec.key, metadata=dict(metadata), tags=tags)


def metadata_of(
    warehouse: Warehouse, client: Client, unique_id: str, build: PublishedBuild, read: Mapping[str, int]
) -> dict[str, Any]:
    """All that the materialization of one table shows, once it is published."""
    table = MANIFEST["nodes"][unique_id]["alias"]
    settings = warehouse.settings
    # What is not published stays where it was built.
    database = settings.next_database if table.startswith(UNPUBLISHED) else settings.database
    metadata: dict[str, Any] = {"loads up to": build.to_seq, "build": build.build_id}
    columns = _columns(client, database, table)
    metadata["dagster/column_schema"] = dg.TableSchema(columns)
    metadata |= _row_counts(warehouse, client, unique_id, database, table, build, {column.name for column in columns})
    if result := build.results.get(unique_id):
        metadata["seconds"] = round(result.seconds, 3)
    if unique_id in read:
        metadata["rows read"] = read[unique_id]
    if table in _TABLES_OF_EVENTS:
        of_nobody, events = nobodys_events.count(client, database)
        metadata |= {"events of nobody": of_nobody, "events of nobody, %": round(100 * of_nobody / max(events, 1), 2)}
    return metadata | picture_metadata(warehouse, table)


def _columns(client: Client, database: str, table: str) -> list[dg.TableColumn]:
    rows = client.query(
        "SELECT name, type, comment FROM system.columns"
        " WHERE database = {db:String} AND table = {table:String} ORDER BY position",
        parameters={"db": database, "table": table},
    ).result_rows
    return [dg.TableColumn(name, type=kind, description=comment or None) for name, kind, comment in rows]


def _row_counts(
    warehouse: Warehouse,
    client: Client,
    unique_id: str,
    database: str,
    table: str,
    build: PublishedBuild,
    columns: set[str],
) -> dict[str, Any]:
    """How many rows there are; and, after a build of this run, how many it wrote and how many it took away."""
    materialized = MANIFEST["nodes"][unique_id]["config"]["materialized"]
    if materialized == "view" or not columns:
        return {}  # to count the rows of a view is to run it
    rows = _count(client, database, table)
    counted: dict[str, Any] = {"dagster/row_count": rows}
    if unique_id not in build.results or table.startswith(UNPUBLISHED):
        return counted
    if materialized != "incremental" or build.full_refresh or table in build.rebuilt:
        written = rows
    elif "_build_seq" in columns:
        written = client.query(
            "SELECT count() FROM {db:Identifier}.{table:Identifier} WHERE _build_seq > {seq:UInt64}",
            parameters={"db": database, "table": table, "seq": build.from_seq},
        ).first_row[0]
    else:
        return counted
    next_database = warehouse.settings.next_database
    # Since the exchange the previous version is there.
    before = _count(client, next_database, table) if warehouse.has_table(next_database, table) else 0
    return {**counted, "rows written": written, "rows deleted": before + written - rows}


def _count(client: Client, database: str, table: str) -> int:
    return int(
        client.query(
            "SELECT count() FROM {db:Identifier}.{table:Identifier}", parameters={"db": database, "table": table}
        ).first_row[0]
    )


def _rows_read(warehouse: Warehouse, client: Client, build: PublishedBuild) -> dict[str, int]:
    """The rows that the statements of each model read, by dbt id; empty where the server does not let us ask."""
    if build.started_at is None:
        return {}
    with suppress(ClickHouseError):
        client.command("SYSTEM FLUSH LOGS query_log")
        rows = client.query(
            """
            SELECT extract(query, {node:String}) AS node, sum(read_rows)
            FROM system.query_log
            WHERE
                event_date >= toDate({since:DateTime64(6, 'UTC')})
                AND event_time_microseconds >= {since:DateTime64(6, 'UTC')}
                AND type = 'QueryFinish' AND is_initial_query
                AND current_database = {db:String}
                AND startsWith(query, '/* {"app": "dbt"')
            GROUP BY node
            """,
            parameters={
                "node": _NODE_OF_STATEMENT.pattern,
                "since": build.started_at,
                "db": warehouse.settings.next_database,
            },
        ).result_rows
        return {node: int(read) for node, read in rows}
    return {}
