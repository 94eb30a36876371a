"""What the record of a build says of each table: its materialization, with figures of what people read."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence, Set
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

_ROW_COUNT, _WRITTEN, _DELETED = "dagster/row_count", "rows written", "rows deleted"

# The parts of a build are in the record of `published` under this word.
SECONDS = "seconds: "

# Tables that tell how many of the new events are of nobody.
_TABLES_OF_EVENTS = {"events", "events_hourly"}
# dbt's comment at the beginning of each of its statements says for which model it runs it.
_NODE_OF_STATEMENT = re.compile(r'"node_id": "([^"]+)"')


@dataclass(frozen=True)
class PublishedBuild:
    """A build that people read: its id, the loads it covers, whether all was rebuilt, and what dbt says of it.

    `previous_id` is the build that people read before. Of a build that this run did not make only the first two are
    known.
    """

    build_id: str
    to_seq: int
    previous_id: str = ""
    from_seq: int = 0
    full_refresh: bool = False
    rebuilt: Set[str] = frozenset()
    started_at: datetime | None = None
    results: Mapping[str, NodeResult] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Work:
    """What the statements of a model did in a build, in rows. `is_whole`: it deleted and inserted, as `follow` does."""

    read: int
    written: int
    deleted: int
    is_whole: bool


@dataclass(frozen=True)
class RawVersion:
    """The state of a raw asset before the build began: its data version, and its place in Dagster's record."""

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
    instance: dg.DagsterInstance, warehouse: Warehouse, build: PublishedBuild, raw: Mapping[dg.AssetKey, RawVersion]
) -> Iterator[dg.AssetMaterialization]:
    """A materialization of every table of the build, and of `published` as the last.

    What it costs follows from what the build did: no table is read for it as a whole, but where the record of the
    version before or the server's log of statements is missing.
    """
    started = time.monotonic()
    with warehouse.client() as client:
        figures = _Figures(
            warehouse=warehouse,
            client=client,
            build=build,
            columns=_columns(warehouse, client),
            total_rows=_total_rows(warehouse, client),
            work=_work(warehouse, client, build),
            recorded=_recorded(instance, build.previous_id if build.results else build.build_id),
            of_nobody=_of_nobody(client, warehouse),
        )
        for unique_id, spec in MODEL_SPECS.items():
            yield _materialization(spec, build, raw, figures.of(unique_id, spec.key))
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
    return len(_recorded(instance, build_id)) == len(MODEL_SPECS) + 1


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


def _recorded(instance: dg.DagsterInstance, version: str) -> dict[dg.AssetKey, Mapping[str, dg.MetadataValue]]:
    """What the record says of every table whose latest materialization is of this build."""
    keys = [*(spec.key for spec in MODEL_SPECS.values()), PUBLISHED_SPEC.key]
    entries = {record.asset_entry.asset_key: record.asset_entry for record in instance.get_asset_records(keys)}
    latest = {key: entry.last_materialization for key, entry in entries.items()}
    recorded = {key: event.asset_materialization for key, event in latest.items() if event}
    return {
        key: each.metadata for key, each in recorded.items() if each and (each.tags or {}).get(_DATA_VERSION) == version
    }


@dataclass(frozen=True)
class _Figures:
    """What the materializations of a build's tables show.

    `columns` and `total_rows` are the server's, of both databases by (database, table). `recorded` is what the record
    says of the tables as the build found them, or, if this run did not make it, as they are.
    """

    warehouse: Warehouse
    client: Client
    build: PublishedBuild
    columns: Mapping[tuple[str, str], Sequence[dg.TableColumn]]
    total_rows: Mapping[tuple[str, str], int]
    work: Mapping[str, _Work]
    recorded: Mapping[dg.AssetKey, Mapping[str, dg.MetadataValue]]
    of_nobody: Mapping[str, float]

    def of(self, unique_id: str, key: dg.AssetKey) -> dict[str, Any]:
        """All that the materialization of one table shows, once it is published."""
        build, before = self.build, self.recorded.get(key, {})
        rows = self._rows(unique_id, before)
        metadata: dict[str, Any] = {
            "loads up to": build.to_seq,
            "build": build.build_id,
            "dagster/column_schema": dg.TableSchema(self.columns.get(self._place(unique_id), [])),
            **rows,
        }
        if result := build.results.get(unique_id):
            metadata["seconds"] = round(result.seconds, 3)
        if unique_id in self.work:
            metadata["rows read"] = self.work[unique_id].read
        if self._place(unique_id)[1] in _TABLES_OF_EVENTS:
            metadata |= self.of_nobody
        is_changed = unique_id in build.results and (rows.get(_WRITTEN), rows.get(_DELETED)) != (0, 0)
        return metadata | picture_metadata(self.warehouse, self._place(unique_id)[1], {} if is_changed else before)

    def _place(self, unique_id: str) -> tuple[str, str]:
        table: str = MANIFEST["nodes"][unique_id]["alias"]
        # What is not published stays where it was built.
        is_published = not table.startswith(UNPUBLISHED)
        return self.warehouse.settings.database if is_published else self.warehouse.settings.next_database, table

    def _rows(self, unique_id: str, before: Mapping[str, dg.MetadataValue]) -> dict[str, int]:
        """How many rows there are; and, after a build of this run, how many it wrote and how many it deleted.

        Where rows are replaced key by key, the server keeps them marked as deleted until a merge, and would have to
        look at each to count the others. So such a table is counted once; from then on what builds wrote and deleted is
        added up.
        """
        place, materialized = self._place(unique_id), MANIFEST["nodes"][unique_id]["config"]["materialized"]
        if materialized == "view" or place not in self.columns:
            return {}  # to count the rows of a view is to run it
        if place[1].startswith(UNPUBLISHED):
            return {_ROW_COUNT: self.total_rows[place]}
        recorded = before.get(_ROW_COUNT)
        rows_before = recorded.value if isinstance(recorded, dg.IntMetadataValue) else None
        if unique_id not in self.build.results:
            return {_ROW_COUNT: self._count(*place) if rows_before is None else rows_before}
        if materialized != "incremental" or self.build.full_refresh or place[1] in self.build.rebuilt:
            if rows_before is None:
                # since the exchange the previous version is there
                previous = (self.warehouse.settings.next_database, place[1])
                rows_before = self._count(*previous) if previous in self.columns else 0
            rows = self.total_rows[place]
            return {_ROW_COUNT: rows, _WRITTEN: rows, _DELETED: rows_before}
        work = self.work.get(unique_id)
        if work is None or not work.is_whole:
            return {_ROW_COUNT: self._count(*place)}
        rows = self._count(*place) if rows_before is None else rows_before + work.written - work.deleted
        return {_ROW_COUNT: rows, _WRITTEN: work.written, _DELETED: work.deleted}

    def _count(self, database: str, table: str) -> int:
        names = {"db": database, "table": table}
        return int(
            self.client.query("SELECT count() FROM {db:Identifier}.{table:Identifier}", parameters=names).first_row[0]
        )


def _columns(warehouse: Warehouse, client: Client) -> dict[tuple[str, str], list[dg.TableColumn]]:
    rows = client.query(
        "SELECT database, table, name, type, comment FROM system.columns"
        " WHERE database IN ({published:String}, {next:String}) ORDER BY database, table, position",
        parameters=_databases(warehouse),
    ).result_rows
    columns: dict[tuple[str, str], list[dg.TableColumn]] = {}
    for database, table, name, kind, comment in rows:
        columns.setdefault((database, table), []).append(dg.TableColumn(name, type=kind, description=comment or None))
    return columns


def _total_rows(warehouse: Warehouse, client: Client) -> dict[tuple[str, str], int]:
    """The rows of each table, those included that are marked as deleted."""
    rows = client.query(
        "SELECT database, name, ifNull(total_rows, 0) FROM system.tables"
        " WHERE database IN ({published:String}, {next:String})",
        parameters=_databases(warehouse),
    ).result_rows
    return {(database, table): int(count) for database, table, count in rows}


def _of_nobody(client: Client, warehouse: Warehouse) -> dict[str, float]:
    of_nobody, events = nobodys_events.count(client, warehouse)
    return {"new events of nobody": of_nobody, "new events of nobody, %": round(100 * of_nobody / max(events, 1), 2)}


def _databases(warehouse: Warehouse) -> dict[str, str]:
    return {"published": warehouse.settings.database, "next": warehouse.settings.next_database}


def _work(warehouse: Warehouse, client: Client, build: PublishedBuild) -> dict[str, _Work]:
    """What the statements of each model did, by dbt id; empty where the server does not let us ask."""
    if build.started_at is None:
        return {}
    with suppress(ClickHouseError):
        client.command("SYSTEM FLUSH LOGS query_log")
        rows = client.query(
            """
            SELECT
                extract(query, {node:String}) AS node,
                sum(read_rows),
                sumIf(written_rows, query_kind = 'Insert'),
                -- a DELETE writes a row for each that it deletes
                sumIf(ProfileEvents['MergeTreeDataWriterRows'], query_kind = 'Delete'),
                countIf(query_kind = 'Insert') > 0 AND countIf(query_kind = 'Delete') > 0
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
        return {
            node: _Work(int(read), int(written), int(deleted), bool(is_whole))
            for node, read, written, deleted, is_whole in rows
        }
    return {}
