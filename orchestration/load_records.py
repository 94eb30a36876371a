"""What the ledger knows, told to Dagster: loads of the command line are materializations like those of the UI.

A day of delivery is a partition: the files of that landing day, and what `footfall load` brought on that day (UTC).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

import dagster as dg
from clickhouse_connect.driver.client import Client

from ingest.landing_folder import TABLES as LANDING_TABLES
from ingest.tables import EVENTS
from ingest.tables import TABLES as LOADED_TABLES
from orchestration.landing_days import LANDING_DAYS
from warehouse.connection import Warehouse

# Under this tag Dagster looks for the version of an asset's data; tables whose input has another one are stale.
DATA_VERSION = "dagster/data_version"

# A table in the UI of more tenants than that is of no use to anybody.
_TENANTS = 100

_HIGHEST = "SELECT max(greatest(load_seq, superseded_seq)) FROM {raw:Identifier}.loads FINAL"
# Without a hash: the line that says that a file is gone. What it withdrew has a new line of its own.
_TOUCHED = """
    SELECT
        `table`,
        if(partition != '', partition, toString(toDate(committed_at))) AS day,
        max(greatest(load_seq, superseded_seq)) AS seq
    FROM {raw:Identifier}.loads FINAL
    WHERE greatest(load_seq, superseded_seq) > {told:UInt64} AND content_hash != ''
    GROUP BY `table`, day ORDER BY `table`, day
"""
_STANDING = """
    SELECT groupArray(load_id), sum(rows_accepted), sum(rows_rejected), sum(rows_duplicate)
    FROM {raw:Identifier}.loads FINAL
    WHERE
        status = 'committed' AND content_hash != '' AND `table` = {table:String}
        AND if(partition != '', partition, toString(toDate(committed_at))) = {day:String}
"""
# A row came when it was received; where the file says nothing about that, on the day it was delivered.
_TENANTS_OF = """
    SELECT
        tenant_id,
        count() AS events,
        max(timestamp) AS newest_event,
        countIf(
            coalesce(received_at, toDateTime64({day:String}, 6, 'UTC')) >= timestamp + INTERVAL 1 DAY
        ) / count() AS late
    FROM {raw:Identifier}.events
    WHERE load_id IN {load_ids:Array(String)}
    GROUP BY tenant_id ORDER BY events DESC, tenant_id LIMIT {limit:UInt64}
"""


def tell(
    instance: dg.DagsterInstance, warehouse: Warehouse, days: dg.PartitionsDefinition[str] = LANDING_DAYS
) -> list[dg.AssetMaterialization]:
    """Record the loads that Dagster has not been told of, and say what was recorded.

    A landing day that a run of Dagster loaded, or tried to, is left to that run. `days` are the partitions of the
    landing tables. Cheap if there is nothing to tell: one lookup each in Dagster and in the ledger.
    """
    raw = warehouse.settings.raw_database
    if not warehouse.has_table(raw, "loads"):
        return []
    told = _told(instance)
    with warehouse.client() as client:
        highest = int(client.query(_HIGHEST, parameters={"raw": raw}).first_row[0])
        if highest == told:
            return []
        touched = client.query(_TOUCHED, parameters={"raw": raw, "told": told}).result_rows
        events = [
            materialization(table, day, figures(client, raw, table, day), data_version(client, raw, table))
            for table, day, seq in touched
            if table in LANDING_TABLES and _is_ours_to_tell(instance, dg.AssetKey(["raw", table]), day, seq, days)
        ]
        others = {table for table, _, _ in touched} - set(LANDING_TABLES)
        # The ledger comes last: what dies before that is told again.
        events += [_whole_table(client, raw, table, highest) for table in [*sorted(others), "rejected_rows", "loads"]]
    for event in events:
        instance.report_runless_asset_event(event)
    return events


def _told(instance: dg.DagsterInstance) -> int:
    """The load_seq up to which Dagster knows the ledger."""
    event = instance.get_latest_materialization_event(dg.AssetKey(["raw", "loads"]))
    return _version(event.asset_materialization if event else None)


def _version(recorded: dg.AssetMaterialization | None) -> int:
    """The load_seq in a materialization; 0 if it has none."""
    return int((recorded.tags or {}).get(DATA_VERSION, 0)) if recorded else 0


def _is_ours_to_tell(
    instance: dg.DagsterInstance, key: dg.AssetKey, day: str, seq: int, days: dg.PartitionsDefinition[str]
) -> bool:
    """Whether a day is recorded up to this load_seq neither yet nor by a run to come: one that failed stays red."""
    status = (instance.get_status_by_partition(key, [day], days) or {}).get(day)
    if status is None or status.name != "MATERIALIZED":
        return status is None
    of_day = dg.AssetRecordsFilter(key, asset_partitions=[day])
    records = instance.fetch_materializations(of_day, limit=1).records
    return not records or _version(records[0].asset_materialization) < seq


def materialization(table: str, day: str, figures: Mapping[str, Any], version: str) -> dg.AssetMaterialization:
    """A landing table's partition with these figures, the table being at this data version."""
    return dg.AssetMaterialization(["raw", table], partition=day, metadata=figures, tags={DATA_VERSION: version})


def data_version(client: Client, raw: str, table: str) -> str:
    """The highest load_seq of a table's loads, those included that were withdrawn."""
    highest = client.query(f"{_HIGHEST} WHERE `table` = {{table:String}}", parameters={"raw": raw, "table": table})
    return str(highest.first_row[0])


def figures(client: Client, raw: str, table: str, day: str) -> dict[str, Any]:
    """What stands of a day of delivery: files and rows, and for events the tenants with newest event and lateness."""
    names: dict[str, Any] = {"raw": raw, "table": table, "day": day}
    load_ids, accepted, rejected, duplicate = client.query(_STANDING, parameters=names).first_row
    found: dict[str, Any] = {
        "files": len(load_ids),
        "rows accepted": int(accepted),
        "rows rejected": int(rejected),
        "rows duplicate": int(duplicate),
        "dagster/partition_row_count": int(accepted),
        "dagster/row_count": _row_count(client, raw, table),
    }
    if table == EVENTS and load_ids:
        found |= _tenants(client, names | {"load_ids": load_ids, "limit": _TENANTS})
    return found


def _tenants(client: Client, names: dict[str, Any]) -> dict[str, Any]:
    rows: Sequence[Any] = client.query(_TENANTS_OF, parameters=names).result_rows
    if not rows:
        return {}
    records = [
        dg.TableRecord(
            {"tenant": tenant, "events": events, "newest event": f"{newest:%Y-%m-%d %H:%M:%S}", "late": round(late, 4)}
        )
        for tenant, events, newest, late in rows
    ]
    schema = dg.TableSchema(
        [
            dg.TableColumn("tenant", "string"),
            dg.TableColumn("events", "int", description="Accepted rows of this day of delivery."),
            dg.TableColumn("newest event", "string", description="UTC."),
            dg.TableColumn("late", "float", description="The share of them that came a day or more after it happened."),
        ]
    )
    total = sum(events for _, events, _, _ in rows)
    return {
        "tenants": dg.MetadataValue.table(records, schema=schema),
        "newest event": dg.MetadataValue.timestamp(max(newest for _, _, newest, _ in rows).replace(tzinfo=UTC)),
        "late": round(sum(events * late for _, events, _, late in rows) / total, 4),
    }


def _whole_table(client: Client, raw: str, table: str, highest: int) -> dg.AssetMaterialization:
    version = data_version(client, raw, table) if table in LOADED_TABLES else str(highest)
    return dg.AssetMaterialization(
        asset_key=["raw", table],
        metadata={"dagster/row_count": _row_count(client, raw, table)},
        tags={DATA_VERSION: version},
    )


def _row_count(client: Client, raw: str, table: str) -> int:
    names = {"raw": raw, "table": table}
    return int(client.query("SELECT count() FROM {raw:Identifier}.{table:Identifier}", parameters=names).first_row[0])
