"""Dagster's UI of `footfall up` on the tiny project, by the same GraphQL that the UI speaks."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import orjson

from ingest import landing_folder
from tests.orchestration.conftest import commit_load, put_landing
from tests.orchestration.listener import Listener
from warehouse.connection import Warehouse

REPOSITORY = {"repositoryLocationName": "footfall", "repositoryName": "__repository__"}
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}
# The last ten landing days, today among them.
DAYS = [(landing_folder.today() - timedelta(days=ago)).isoformat() for ago in range(9, -1, -1)]

LAUNCH = """
mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } } ... on InvalidSubsetError { message }
} }
"""
AGAIN = """
mutation($params: ReexecutionParams!) { launchRunReexecution(reexecutionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
} }
"""
BACKFILL = """
mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
} }
"""
RUNS = """
query($filter: RunsFilter) { runsOrError(filter: $filter) { ... on Runs { results {
    runId status startTime endTime tags { key value }
    eventConnection(limit: 1000) { events { ... on MessageEvent { message } } }
} } } }
"""
TABLE = """
query($key: AssetKeyInput!) {
    assetNodeOrError(assetKey: $key) { ... on AssetNode {
        staleStatus
        assetChecksOrError { ... on AssetChecks { checks {
            name description executionForLatestMaterialization { runId status evaluation { metadataEntries {
                label ... on IntMetadataEntry { intValue } ... on TextMetadataEntry { text }
                ... on MarkdownMetadataEntry { mdStr } ... on TableMetadataEntry { table { records } }
            } } }
        } } }
    } }
    assetOrError(assetKey: $key) { ... on Asset { assetMaterializations(limit: 20) {
        runId metadataEntries { label ... on IntMetadataEntry { intValue } ... on FloatMetadataEntry { floatValue } }
    } } }
}
"""
EVENTS = """
{ assetNodeOrError(assetKey: {path: ["raw", "events"]}) { ... on AssetNode {
    partitionKeys
    assetPartitionStatuses { ... on TimePartitionStatuses { ranges { startKey endKey status } } }
    assetMaterializations(limit: 50) {
        partition metadataEntries { label ... on IntMetadataEntry { intValue } }
    }
} } }
"""
START = """
mutation($selector: SensorSelector!) { startSensor(sensorSelector: $selector) { __typename } }
"""
SENSOR = """
query($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) { ... on Sensor { sensorState {
    ticks(limit: 20) { runIds } typeSpecificData { ... on SensorData { lastCursor } }
} } } }
"""
SENSOR_DRY_RUN = """
mutation($selector: SensorSelector!, $cursor: String) { sensorDryRun(selectorData: $selector, cursor: $cursor) {
    ... on DryRunInstigationTick { evaluationResult { skipReason error { message } runRequests { runKey } } }
} }
"""
SCHEDULE_DRY_RUN = """
mutation($selector: ScheduleSelector!, $at: Float) { scheduleDryRun(selectorData: $selector, timestamp: $at) {
    ... on DryRunInstigationTick { evaluationResult { skipReason error { message } runRequests { runKey } } }
} }
"""


def until(holds: Callable[[], Any]) -> Any:
    """Wait for what Dagster's daemon, or `footfall up`, does once in a while; what it came to."""
    deadline = time.monotonic() + 240
    while not (found := holds()):
        assert time.monotonic() < deadline, "it has not come to that"
        time.sleep(0.5)
    return found


@dataclass
class Run:
    id: str
    status: str
    started: float
    ended: float
    messages: list[str]
    tags: dict[str, str]


@dataclass
class Ui:
    """The UI of a warehouse with the tiny project, its landing folder, and what it posts when a run fails."""

    warehouse: Warehouse
    port: int
    alerts: Listener
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=120))

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        answer = self.client.post(
            f"http://127.0.0.1:{self.port}/graphql", json={"query": query, "variables": variables}
        )
        answered: dict[str, Any] = answer.json()
        assert "errors" not in answered, answered
        return answered["data"]  # type: ignore[no-any-return]

    def load(self, *people: str) -> int:
        """A load that came from elsewhere; its number."""
        seq = self._last_load() + 1
        commit_load(self.warehouse, seq, *people)
        return seq

    def withdraw(self, seq: int) -> None:
        """Take a load out of the ledger, as `footfall unload` does."""
        with self.warehouse.client(self.warehouse.settings.raw_database) as client:
            client.command(
                "INSERT INTO loads SELECT * REPLACE ('superseded' AS status, {now:UInt64} AS superseded_seq,"
                " version + 1 AS version) FROM loads FINAL WHERE load_seq = {seq:UInt64}",
                parameters={"seq": seq, "now": self._last_load() + 1},
            )

    def _last_load(self) -> int:
        """The highest number in the ledger."""
        if not self.warehouse.has_table(self.warehouse.settings.raw_database, "loads"):
            return 0
        with self.warehouse.client(self.warehouse.settings.raw_database) as client:
            return int(client.query("SELECT max(greatest(load_seq, superseded_seq)) FROM loads").first_row[0])

    def put(self, day: str, events: int = 1, name: str = "a.ndjson", person: str = "ada") -> None:
        """A landing file with so many events of a person; the tiny project knows two, ada and ben."""
        row = {"tenant_id": "north", "event": "page", "distinct_id": person, "timestamp": f"{DAYS[0]} 12:00:00"}
        rows = [{**row, "event_id": f"{day}-{name}-{i}"} for i in range(events)]
        put_landing(self.warehouse, day, name, b"".join(orjson.dumps(row) + b"\n" for row in rows))

    def launch(self, *assets: str, checks: list[dict[str, Any]] | None = None, job: str = "__ASSET_JOB") -> str:
        """Click *Materialize* on these assets, or *Execute* on these checks; the run's id."""
        selector: dict[str, Any] = {**REPOSITORY, "pipelineName": job}
        if job == "__ASSET_JOB":
            selector["assetSelection"] = [{"path": asset.split("/")} for asset in assets]
            selector["assetCheckSelection"] = checks
        launched = self.ask(LAUNCH, params={"selector": selector, "runConfigData": "{}", "mode": "default"})[
            "launchRun"
        ]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def again(self, run: str) -> str:
        """Click *Re-execute from failure*."""
        params = {"parentRunId": run, "strategy": "FROM_FAILURE"}
        launched = self.ask(AGAIN, params=params)["launchRunReexecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def backfill(self, **what: Any) -> dict[str, Any]:
        """Start a backfill; the filter that finds its runs. The daemon looks for new ones every thirty seconds."""
        launched = self.ask(BACKFILL, params=what)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return {"tags": [{"key": "dagster/backfill", "value": launched["backfillId"]}]}

    def wait(self, run: str) -> Run:
        return self.ended(runIds=[run])

    def ended(self, **which: Any) -> Run:
        """The only run of this filter, once there is one and it has ended."""

        def found() -> list[dict[str, Any]]:
            runs: list[dict[str, Any]] = self.ask(RUNS, filter=which)["runsOrError"]["results"]
            return runs if all(run["status"] in ENDED for run in runs) else []

        (run,) = until(found)
        return Run(
            run["runId"],
            run["status"],
            run["startTime"] or 0,
            run["endTime"] or 0,
            [event.get("message") or "" for event in run["eventConnection"]["events"]],
            {tag["key"]: tag["value"] for tag in run["tags"]},
        )

    def materialize(self, *assets: str) -> Run:
        return self.wait(self.launch(*assets))

    def build_what_waits(self) -> None:
        """Nothing waits afterwards."""
        if self.hourly_build()["skipReason"] is None:
            assert self.materialize("published").status == "SUCCESS"

    def hourly_build(self) -> dict[str, Any]:
        """What the schedule would do now."""
        selector = {**REPOSITORY, "scheduleName": "hourly_build"}
        dry = self.ask(SCHEDULE_DRY_RUN, selector=selector, at=time.time())["scheduleDryRun"]
        return dry["evaluationResult"]  # type: ignore[no-any-return]

    def table(self, name: str) -> dict[str, Any]:
        return self.ask(TABLE, key={"path": name.split("/")})

    def runs_of(self, name: str) -> list[str]:
        """The runs that materialized a table, the latest first."""
        return [each["runId"] for each in self.table(name)["assetOrError"]["assetMaterializations"]]

    def runs(self) -> list[str]:
        """All runs, the latest first."""
        return [run["runId"] for run in self.ask(RUNS)["runsOrError"]["results"]]

    def stale_status(self, name: str) -> str:
        return str(self.table(name)["assetNodeOrError"]["staleStatus"])

    def figures(self, name: str) -> dict[str, float]:
        """The numbers of a table's latest materialization."""
        entries = self.table(name)["assetOrError"]["assetMaterializations"][0]["metadataEntries"]
        return {each["label"]: each.get("intValue", each.get("floatValue")) for each in entries}

    def check(self, table: str = "people") -> dict[str, Any]:
        """The latest execution of a table's only check: status, and what it shows by label."""
        (check,) = self.table(table)["assetNodeOrError"]["assetChecksOrError"]["checks"]
        execution = check["executionForLatestMaterialization"]
        entries = (execution["evaluation"] or {"metadataEntries": []})["metadataEntries"]
        shown = {
            each["label"]: next((each[key] for key in ("intValue", "text", "mdStr", "table") if key in each), None)
            for each in entries
        }
        return {**execution, "name": check["name"], "description": check["description"], "shown": shown}

    def partitions(self) -> list[str]:
        """The landing days that are partitions of raw/events."""
        return self.ask(EVENTS)["assetNodeOrError"]["partitionKeys"]  # type: ignore[no-any-return]

    def statuses(self) -> dict[str, str]:
        """The partitions of raw/events that are green or red, by day."""
        ranges = self.ask(EVENTS)["assetNodeOrError"]["assetPartitionStatuses"]["ranges"]
        return {day: each["status"] for each in ranges for day in DAYS if each["startKey"] <= day <= each["endKey"]}

    def accepted(self) -> dict[str, int]:
        """Rows accepted by the latest materialization of each day."""
        found = {}
        for each in reversed(self.ask(EVENTS)["assetNodeOrError"]["assetMaterializations"]):
            figures = {entry["label"]: entry.get("intValue") for entry in each["metadataEntries"]}
            found[each["partition"]] = figures["rows accepted"]
        return found

    def start_sensor(self, name: str) -> None:
        self.ask(START, selector={**REPOSITORY, "sensorName": name})

    def runs_asked_for(self, sensor: str) -> list[int]:
        """How many runs each tick of a sensor asked for that asked for any."""
        state = self.ask(SENSOR, selector={**REPOSITORY, "sensorName": sensor})["sensorOrError"]["sensorState"]
        return [len(tick["runIds"]) for tick in state["ticks"] if tick["runIds"]]

    def next_tick(self, sensor: str) -> dict[str, Any]:
        """What a sensor would do now, without the minute until it is asked again."""
        selector = {**REPOSITORY, "sensorName": sensor}
        state = self.ask(SENSOR, selector=selector)["sensorOrError"]["sensorState"]
        dry = self.ask(SENSOR_DRY_RUN, selector=selector, cursor=state["typeSpecificData"]["lastCursor"])
        return dry["sensorDryRun"]["evaluationResult"]  # type: ignore[no-any-return]
