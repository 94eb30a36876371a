"""Landing days as partitions: each day's result and figures are its own, and loads by hand are recorded as well."""

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import orjson
import pytest
from clickhouse_connect.driver.exceptions import OperationalError

from ingest import ledger
from ingest.landing_folder import today
from ingest.loading import load_paths
from orchestration import automation, load_records, raw_assets
from orchestration.landing_days import days_from, first_day
from orchestration.resources import WarehouseResource
from orchestration.run import dagster_home
from tests.orchestration.conftest import put_landing
from warehouse.connection import Warehouse
from warehouse.lock import exclusive

DAYS = days_from(date(2026, 1, 1))
EVENTS = dg.AssetKey(["raw", "events"])
ONE, TWO, THREE = (f"2026-01-0{day}" for day in (1, 2, 3))


class Landing:
    """The landing folder of a home, and runs of Dagster over its days."""

    def __init__(self, warehouse: Warehouse, instance: dg.DagsterInstance) -> None:
        self.warehouse = warehouse
        self.instance = instance
        self.assets = [raw_assets.landing_asset("events", DAYS)]

    def put(self, day: str, *ids: str, name: str = "a.ndjson", **fields: str) -> Path:
        """A file with an event of each of these ids, on New Year's day at noon."""
        row = {"tenant_id": "t", "event": "page", "timestamp": f"{ONE} 12:00:00", "distinct_id": "d", **fields}
        rows = [{**row, "event_id": id} for id in ids]
        return put_landing(self.warehouse, day, name, b"".join(orjson.dumps(row) + b"\n" for row in rows))

    def run(self, first: str, last: str, *days: str) -> dg.ExecuteInProcessResult:
        """Load a range of days, or only some of its days, in one run."""
        return dg.materialize(
            self.assets,
            instance=self.instance,
            raise_on_error=False,
            resources={"warehouse": WarehouseResource(wait_seconds=0.0)},
            run_config={"ops": {"raw__events": {"config": {"days": list(days)}}}},
            tags={"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last},
        )

    def statuses(self, *days: str) -> list[str]:
        found = self.instance.get_status_by_partition(EVENTS, list(days), DAYS) or {}
        return [status.name if (status := found[day]) else "none" for day in days]

    def materializations(self, day: str) -> list[dict[str, Any]]:
        """The metadata of a day's materializations, the latest first."""
        of_day = dg.AssetRecordsFilter(EVENTS, asset_partitions=[day])
        records = self.instance.fetch_materializations(of_day, limit=10).records
        recorded = [record.asset_materialization for record in records]
        return [{name: _plain(value) for name, value in each.metadata.items()} for each in recorded if each]


def _plain(value: dg.MetadataValue) -> Any:
    return [record.data for record in value.records] if isinstance(value, dg.TableMetadataValue) else value.value


@pytest.fixture
def landing(warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Landing]:
    for name, value in warehouse.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    dagster_home(warehouse.settings)
    with dg.DagsterInstance.get() as instance:
        yield Landing(warehouse, instance)
    # the home is that of all tests
    shutil.rmtree(warehouse.settings.home / "landing", ignore_errors=True)


def test_a_bad_file_reddens_its_own_day_only(landing: Landing) -> None:
    landing.put(ONE, "a", "b")
    landing.put(TWO, "c")
    landing.put(TWO, name="broken.json").write_bytes(b"\x00\x01")
    landing.put(THREE, "d")
    run = landing.run(ONE, THREE)
    assert not run.success
    failure = run.failure_data_for_node("raw__events")
    assert failure is not None and failure.user_failure_data is not None
    said = str(failure.user_failure_data.description)
    assert said.startswith(f"1 of 3 landing days could not be loaded as a whole: {TWO} (broken.json: ")
    assert said.endswith("The other days are loaded.")
    assert landing.statuses(ONE, TWO, THREE) == ["MATERIALIZED", "FAILED", "MATERIALIZED"]
    assert [landing.materializations(day)[0]["rows accepted"] for day in (ONE, THREE)] == [2, 1]
    assert landing.materializations(TWO) == []

    landing.put(TWO, name="broken.json").unlink()
    assert landing.run(ONE, THREE).success
    assert landing.statuses(ONE, TWO, THREE) == ["MATERIALIZED"] * 3
    again, before = landing.materializations(ONE)
    assert again["rows accepted"] == before["rows accepted"] == 2, "a day's figures are what stands of it"
    assert (before["files loaded now"], again["files loaded now"], again["files there already"]) == (1, 0, 1)
    assert landing.materializations(TWO)[0]["rows accepted"] == 1


def test_only_the_days_that_a_run_names_are_looked_into(landing: Landing) -> None:
    for day in (ONE, TWO, THREE):
        landing.put(day, day)
    assert landing.run(ONE, THREE).success
    landing.put(ONE, "a", "b")
    landing.put(TWO, "c", "d")
    landing.put(THREE, name="broken.json").write_bytes(b"\x00\x01")
    assert not landing.run(ONE, THREE, ONE, THREE).success
    assert landing.statuses(ONE, TWO, THREE) == ["MATERIALIZED", "MATERIALIZED", "FAILED"]
    assert [landing.materializations(day)[0]["rows accepted"] for day in (ONE, TWO)] == [2, 1]


def test_options_that_cannot_be_used_fail_their_day(landing: Landing) -> None:
    landing.put(ONE, "a", tenant_id="").with_name("footfall.yml").write_text("tenant: north\n")
    landing.put(TWO, "b", tenant_id="").with_name("footfall.yml").write_text("tennant: north\n")
    run = landing.run(ONE, TWO)
    assert landing.statuses(ONE, TWO) == ["MATERIALIZED", "FAILED"]
    failure = run.failure_data_for_node("raw__events")
    assert failure is not None and failure.user_failure_data is not None
    assert "footfall.yml, line 1: there is no option 'tennant'" in str(failure.user_failure_data.description)
    (tenant,) = landing.materializations(ONE)[0]["tenants"]
    assert (tenant["tenant"], tenant["events"]) == ("north", 1)


def test_lateness_is_the_share_that_came_a_day_or_more_late(landing: Landing) -> None:
    def row(id: str, tenant: str, **times: str) -> bytes:
        return orjson.dumps({"event_id": id, "event": "page", "distinct_id": "d", "tenant_id": tenant, **times}) + b"\n"

    rows = [
        row("1", "north", timestamp=f"{ONE} 12:00:00", received_at=f"{ONE} 13:00:00"),
        row("2", "north", timestamp=f"{ONE} 12:00:00", received_at=f"{TWO} 12:00:00"),
        row("3", "south", timestamp=f"{TWO} 00:00:00"),
        row("4", "south", timestamp=f"{ONE} 23:00:00"),
        row("5", "south", timestamp=f"{TWO} 23:00:00"),
        row("6", "south", timestamp=f"{ONE} 00:00:00"),
    ]
    put_landing(landing.warehouse, THREE, "a.ndjson", b"".join(rows))
    assert landing.run(THREE, THREE).success
    (figures,) = landing.materializations(THREE)
    tenants = {each["tenant"]: each for each in figures["tenants"]}
    assert tenants["north"]["late"] == 0.5
    assert tenants["south"]["late"] == 0.75, "without received_at the day of delivery counts"
    assert tenants["south"]["newest event"] == f"{TWO} 23:00:00"
    assert figures["newest event"] == datetime(2026, 1, 2, 23, tzinfo=UTC).timestamp()
    assert figures["late"] == round(4 / 6, 4)


def test_a_warehouse_that_goes_away_is_waited_for(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    landing.put(ONE, "a")
    landing.put(TWO, "b")
    commit, tries = ledger.commit, []

    def fail_at_first(*arguments: Any) -> ledger.Load:
        tries.append(1)
        if len(tries) == 2:
            raise OperationalError("connection reset")
        return commit(*arguments)

    monkeypatch.setattr(ledger, "commit", fail_at_first)
    monkeypatch.setattr(raw_assets, "_RETRIES", dg.RetryPolicy(max_retries=1, delay=0.1))
    landing.assets = [raw_assets.landing_asset("events", DAYS)]
    assert landing.run(ONE, TWO).success
    assert landing.statuses(ONE, TWO) == ["MATERIALIZED"] * 2
    assert len(landing.materializations(ONE)) == 1, "what a try left is recorded once"


def test_a_run_that_finds_another_writer_has_loaded_nothing(landing: Landing) -> None:
    landing.put(ONE, "a")
    with exclusive(landing.warehouse, "something else"):
        assert not landing.run(ONE, ONE).success
    assert landing.statuses(ONE) == ["FAILED"]


def load_by_hand(landing: Landing, path: Path, table: str = "events") -> None:
    for result in load_paths(landing.warehouse, table, [path], tenant="t"):
        assert result.status == "loaded", result


def test_loads_of_the_command_are_materializations_of_the_day_they_came(landing: Landing, tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson"
    file.write_text('{"event_id": "1", "event": "page", "timestamp": "2026-01-01 12:00:00", "distinct_id": "d"}\n')
    load_by_hand(landing, file)
    funnels = tmp_path / "funnels.csv"
    funnels.write_text("funnel_id,step_number,step_name,event,mode\nf,1,see,page,ordered\n")
    load_by_hand(landing, funnels, "funnel_steps")

    def told() -> list[str]:
        return [each.asset_key.path[-1] for each in load_records.tell(landing.instance, landing.warehouse, DAYS)]

    assert told() == ["events", "funnel_steps", "rejected_rows", "loads"]
    assert told() == [], "everything is recorded once"
    assert landing.materializations(today().isoformat())[0]["rows accepted"] == 1
    event = landing.instance.get_latest_materialization_event(dg.AssetKey(["raw", "loads"]))
    assert event is not None and event.asset_materialization is not None
    assert (event.asset_materialization.tags or {})["dagster/data_version"] == "2"

    raw = landing.warehouse.settings.raw_database
    with landing.warehouse.client() as client:
        ledger.withdraw(client, raw, [line for line in ledger.newest_first(client, raw) if line.table == "events"])
    assert told() == ["events", "rejected_rows", "loads"], "what is withdrawn is recorded as well"
    assert landing.materializations(today().isoformat())[0]["rows accepted"] == 0


def test_a_day_that_failed_stays_red_whatever_is_loaded_by_hand(landing: Landing, tmp_path: Path) -> None:
    now = today().isoformat()
    landing.put(now, "a")
    landing.put(now, name="broken.json").write_bytes(b"\x00\x01")
    assert not landing.run(now, now).success
    file = tmp_path / "b.ndjson"
    file.write_text('{"event_id": "1", "event": "page", "timestamp": "2026-01-01 12:00:00", "distinct_id": "d"}\n')
    load_by_hand(landing, file)
    load_records.tell(landing.instance, landing.warehouse, DAYS)
    assert landing.statuses(now) == ["FAILED"]


def test_the_partitions_begin_with_the_first_day_that_has_files_or_loads(landing: Landing) -> None:
    settings = landing.warehouse.settings
    assert first_day(settings) == today()
    landing.put(TWO, "a")
    assert first_day(settings) == date(2026, 1, 2)
    assert landing.run(TWO, TWO).success
    (settings.home / "landing/events" / TWO / "a.ndjson").unlink()
    landing.put(THREE, "b")
    assert first_day(settings) == date(2026, 1, 2), "its rows are to be withdrawn yet"
    assert landing.run(TWO, THREE).success
    assert first_day(settings) == date(2026, 1, 3)


def test_files_that_no_load_looks_at_are_a_warning(landing: Landing) -> None:
    landing.put("20261124", "a")
    result = raw_assets.files_check_result("events")
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "20261124" in str(result.description)
    assert raw_assets.files_check_result("identity_mappings").passed


def test_daily_landing_loads_yesterday(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automation, "LANDING_DAYS", DAYS)

    def asked(at: str) -> Any:
        return automation.daily_landing(
            dg.build_schedule_context(scheduled_execution_time=datetime.fromisoformat(at).replace(tzinfo=UTC))
        )

    assert asked("2026-03-01 01:00").partition_key == "2026-02-28"
    assert asked("2026-01-02 01:00").partition_key == "2026-01-01"
    assert "before the first landing day" in asked("2026-01-01 01:00").skip_message
