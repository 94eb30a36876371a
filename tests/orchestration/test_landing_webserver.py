"""Landing days in Dagster's UI, by the same GraphQL that the UI speaks, against `footfall up`."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest

from ingest import landing_folder
from tests.cli.conftest import ROOT, environment_of, footfall_of
from tests.orchestration.conftest import TINY, published_people, put_landing, variables_of
from warehouse.connection import Warehouse
from warehouse.ports import free_ports

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

REPOSITORY = {"repositoryLocationName": "footfall", "repositoryName": "__repository__"}
DAYS = [(landing_folder.today() - timedelta(days=ago)).isoformat() for ago in range(9, -1, -1)]

EVENTS = """
{ assetNodeOrError(assetKey: {path: ["raw", "events"]}) { ... on AssetNode {
    partitionKeys
    assetPartitionStatuses { ... on TimePartitionStatuses { ranges { startKey endKey status } } }
    assetMaterializations(limit: 50) {
        partition metadataEntries { label ... on IntMetadataEntry { intValue } }
    }
} } }
"""
BACKFILL = """
mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
} }
"""
RUNS = """
query($filter: RunsFilter!) { runsOrError(filter: $filter) { ... on Runs { results {
    runId status tags { key value } eventConnection(limit: 1000) { events { ... on MessageEvent { message } } }
} } } }
"""
AGAIN = """
mutation($params: ReexecutionParams!) { launchRunReexecution(reexecutionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
} }
"""
START = """
mutation($selector: SensorSelector!) { startSensor(sensorSelector: $selector) { __typename } }
"""
TICKS = """
query($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) { ... on Sensor {
    sensorState { ticks(limit: 20) { status skipReason runIds } }
} } }
"""
DRY_RUN = """
mutation($selector: ScheduleSelector!, $at: Float) { scheduleDryRun(selectorData: $selector, timestamp: $at) {
    ... on DryRunInstigationTick { evaluationResult { skipReason error { message } runRequests { runKey } } }
} }
"""


def until(holds: Callable[[], Any]) -> Any:
    """Wait for what the daemon, or `footfall up`, does once in a while; what it came to."""
    deadline = time.monotonic() + 240
    while not (found := holds()):
        assert time.monotonic() < deadline, "it has not come to that"
        time.sleep(0.5)
    return found


@dataclass
class Ui:
    """The UI of `footfall up`, and the landing folder it looks at."""

    warehouse: Warehouse
    port: int
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=120))

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        body = {"query": query, "variables": variables}
        answered: dict[str, Any] = self.client.post(f"http://127.0.0.1:{self.port}/graphql", json=body).json()
        assert "errors" not in answered, answered
        return next(iter(answered["data"].values()))  # type: ignore[no-any-return]

    def put(self, day: str, events: int = 1, name: str = "a.ndjson", person: str = "ada") -> None:
        """A file with so many events of a person; the tiny project knows two, ada and ben."""
        row = {"tenant_id": "t", "event": "page", "distinct_id": person, "timestamp": f"{DAYS[0]} 12:00:00"}
        rows = [{**row, "event_id": f"{day}-{name}-{i}"} for i in range(events)]
        put_landing(self.warehouse, day, name, b"".join(orjson.dumps(row) + b"\n" for row in rows))

    def statuses(self) -> dict[str, str]:
        """The partitions of raw/events that are green or red, by day."""
        ranges = self.ask(EVENTS)["assetPartitionStatuses"]["ranges"]
        return {day: each["status"] for each in ranges for day in DAYS if each["startKey"] <= day <= each["endKey"]}

    def accepted(self) -> dict[str, int]:
        """Rows accepted by the latest materialization of each day."""
        found = {}
        for each in reversed(self.ask(EVENTS)["assetMaterializations"]):
            figures = {entry["label"]: entry.get("intValue") for entry in each["metadataEntries"]}
            found[each["partition"]] = figures["rows accepted"]
        return found

    def backfill(self, **what: Any) -> list[dict[str, Any]]:
        """Start a backfill, and its runs once they have ended."""
        launched = self.ask(BACKFILL, params=what)
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return self.ended(tags=[{"key": "dagster/backfill", "value": launched["backfillId"]}])

    def ended(self, **which: Any) -> list[dict[str, Any]]:
        def found() -> list[dict[str, Any]]:
            runs: list[dict[str, Any]] = self.ask(RUNS, filter=which)["results"]
            return runs if all(run["status"] in {"SUCCESS", "FAILURE", "CANCELED"} for run in runs) else []

        return until(found)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def ui(shared_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    project = shutil.copytree(TINY, tmp_path_factory.mktemp("ui") / "project")
    (port,) = free_ports(1)
    ui = Ui(shared_warehouse, port)
    ui.put(DAYS[3])
    ui.put(DAYS[4], events=2)
    ui.put(DAYS[5])
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "up"],
        cwd=ROOT,
        env=environment_of(shared_warehouse, **variables_of(project), FOOTFALL_UI_PORT=str(port)),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert any(line.startswith("Dagster") for line in process.stdout), "it has started"
        yield ui
    finally:
        process.terminate()
        process.communicate(timeout=60)
        shutil.rmtree(shared_warehouse.settings.home / "landing")


def test_landing_days_in_the_ui(ui: Ui) -> None:
    _partitions_begin_with_the_first_day(ui)
    _a_backfill_has_a_result_for_each_day(ui)
    _loads_of_the_command_are_recorded(ui)
    _raw_then_tables_is_one_click(ui)
    _nothing_waits_for_the_hourly_build(ui)
    _an_earlier_day_becomes_a_partition(ui)
    _the_sensor_asks_for_one_run(ui)


def _partitions_begin_with_the_first_day(ui: Ui) -> None:
    assert ui.ask(EVENTS)["partitionKeys"] == DAYS[3:]


def _a_backfill_has_a_result_for_each_day(ui: Ui) -> None:
    put_landing(ui.warehouse, DAYS[4], "broken.json", b"\x00\x01")
    raw_events = {"assetSelection": [{"path": ["raw", "events"]}], "partitionNames": DAYS[3:6]}
    (run,) = ui.backfill(**raw_events)
    assert run["status"] == "FAILURE"
    assert ui.statuses() == {DAYS[3]: "MATERIALIZED", DAYS[4]: "FAILED", DAYS[5]: "MATERIALIZED"}
    assert ui.accepted() == {DAYS[3]: 1, DAYS[5]: 1}
    messages = [event.get("message", "") for event in run["eventConnection"]["events"]]
    assert f"{DAYS[3]}: a.ndjson is loaded: 1 rows accepted, 0 rejected, 0 duplicate." in messages

    ui.put(DAYS[4], name="broken.json")
    again = ui.ask(AGAIN, params={"parentRunId": run["runId"], "strategy": "FROM_FAILURE"})
    assert again["__typename"] == "LaunchRunSuccess", again
    (rerun,) = ui.ended(runIds=[again["run"]["runId"]])
    assert rerun["status"] == "SUCCESS", rerun
    assert set(ui.statuses().values()) == {"MATERIALIZED"}
    assert ui.accepted() == {DAYS[3]: 1, DAYS[4]: 3, DAYS[5]: 1}
    messages = [event.get("message", "") for event in rerun["eventConnection"]["events"]]
    assert f"{DAYS[3]}: a.ndjson is there already, with the same content." in messages


def _loads_of_the_command_are_recorded(ui: Ui) -> None:
    file = ui.warehouse.settings.home / "by_hand.ndjson"
    row = {"event": "page", "event_id": "hand", "distinct_id": "ada", "timestamp": f"{DAYS[0]} 12:00:00"}
    file.write_bytes(orjson.dumps(row))
    loaded = footfall_of(ui.warehouse)("load", "events", str(file), "--tenant", "t")
    assert loaded.returncode == 0, loaded.stderr
    assert (ui.warehouse.settings.home / "landing" / "identity_mappings").is_dir()
    until(lambda: ui.accepted().get(DAYS[9]) == 1)


def _raw_then_tables_is_one_click(ui: Ui) -> None:
    ui.put(DAYS[6], person="ben")
    job = {"repositorySelector": REPOSITORY, "partitionSetName": "load_and_build_partition_set"}
    (run,) = ui.backfill(selector=job, partitionNames=DAYS[5:7])
    assert run["status"] == "SUCCESS", run
    assert published_people(ui.warehouse) == ["ada", "ben"]


def _nothing_waits_for_the_hourly_build(ui: Ui) -> None:
    def asked() -> dict[str, Any]:
        dry = ui.ask(DRY_RUN, selector={**REPOSITORY, "scheduleName": "hourly_build"}, at=time.time())
        return dry["evaluationResult"]  # type: ignore[no-any-return]

    assert asked()["skipReason"].startswith("Nothing waits to be built")


def _an_earlier_day_becomes_a_partition(ui: Ui) -> None:
    ui.put(DAYS[1])
    until(lambda: ui.ask(EVENTS)["partitionKeys"] == DAYS[1:])


def _the_sensor_asks_for_one_run(ui: Ui) -> None:
    put_landing(ui.warehouse, "20261124", "a.ndjson", b"{}")
    ui.put(DAYS[7])
    sensor = {**REPOSITORY, "sensorName": "landing_folder"}
    ui.ask(START, selector=sensor)

    def ticks() -> list[dict[str, Any]]:
        return ui.ask(TICKS, selector=sensor)["sensorState"]["ticks"]  # type: ignore[no-any-return]

    until(lambda: any(tick["runIds"] for tick in ticks()))
    assert [len(tick["runIds"]) for tick in ticks() if tick["runIds"]] == [1], "one run for six days"
    (run,) = ui.ended(tags=[{"key": "dagster/sensor_name", "value": "landing_folder"}])
    assert run["status"] == "SUCCESS", run
    tags = {tag["key"].removeprefix("dagster/asset_partition_range_"): tag["value"] for tag in run["tags"]}
    assert (tags["start"], tags["end"]) == (DAYS[1], DAYS[7])
    assert [day for day in DAYS if ui.statuses().get(day) == "MATERIALIZED"] == [*DAYS[1:8], DAYS[9]]
    assert ui.accepted()[DAYS[7]] == 1 and ui.accepted()[DAYS[2]] == 0
    skipped = until(lambda: [tick["skipReason"] for tick in ticks() if tick["skipReason"]])
    assert skipped[0].startswith("No landing day has changed. This is not loaded: ") and "20261124" in skipped[0]
