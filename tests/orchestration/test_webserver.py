"""What people click in Dagster's UI, by the same GraphQL that the UI speaks, against `footfall up`."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.orchestration.browser import browser_page
from tests.orchestration.conftest import commit_load, published_people, start, tiny_project
from tests.orchestration.listener import Listener, listening
from warehouse.connection import Warehouse
from warehouse.ports import free_ports

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

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
RUN = """
query($id: ID!) { runOrError(runId: $id) { ... on Run {
    status startTime endTime
    eventConnection(limit: 1000) { events { __typename ... on MessageEvent { message } } }
} } }
"""
RUNS = "query { runsOrError { ... on Runs { results { runId } } } }"
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


def until(holds: Callable[[], bool]) -> None:
    """Wait for what Dagster's daemon does once in a while."""
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline, "it has not come to that"
        time.sleep(0.5)


REPOSITORY = {"repositoryLocationName": "footfall", "repositoryName": "__repository__"}


@dataclass
class Run:
    id: str
    status: str
    started: float
    ended: float
    messages: list[str]


@dataclass
class Ui:
    """The UI of a warehouse with the tiny project."""

    warehouse: Warehouse
    port: int
    alerts: Listener
    loads: int = 0
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=120))

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        answer = self.client.post(
            f"http://127.0.0.1:{self.port}/graphql", json={"query": query, "variables": variables}
        )
        answered: dict[str, Any] = answer.json()
        assert "errors" not in answered, answered
        return answered["data"]  # type: ignore[no-any-return]

    def load(self, *people: str) -> int:
        self.loads += 1
        commit_load(self.warehouse, self.loads, *people)
        return self.loads

    def withdraw(self, seq: int) -> None:
        """Take a load out of the ledger, as `footfall unload` does."""
        self.loads += 1
        with self.warehouse.client(self.warehouse.settings.raw_database) as client:
            client.command(
                "INSERT INTO loads SELECT * REPLACE ('superseded' AS status, {now:UInt64} AS superseded_seq,"
                " version + 1 AS version) FROM loads FINAL WHERE load_seq = {seq:UInt64}",
                parameters={"seq": seq, "now": self.loads},
            )

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

    def wait(self, run: str) -> Run:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            found = self.ask(RUN, id=run)["runOrError"]
            if found["status"] in {"SUCCESS", "FAILURE", "CANCELED"}:
                messages = [event.get("message") or "" for event in found["eventConnection"]["events"]]
                return Run(run, found["status"], found["startTime"] or 0, found["endTime"] or 0, messages)
            time.sleep(0.5)
        raise AssertionError(f"run {run} has not ended: {found['status']}")

    def materialize(self, *assets: str) -> Run:
        return self.wait(self.launch(*assets))

    def table(self, name: str) -> dict[str, Any]:
        return self.ask(TABLE, key={"path": name.split("/")})

    def runs_of(self, name: str) -> list[str]:
        """The runs that materialized a table, the latest first."""
        return [each["runId"] for each in self.table(name)["assetOrError"]["assetMaterializations"]]

    def runs(self) -> list[str]:
        """All runs, the latest first."""
        return [run["runId"] for run in self.ask(RUNS)["runsOrError"]["results"]]

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


@pytest.fixture(scope="module")
def ui(shared_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    project: Path = tiny_project(tmp_path_factory.mktemp("ui"))
    # Behind people: dbt does not come to it if a check of people fails.
    (project / "models" / "names.sql").write_text("select user_id from {{ ref('people') }}")
    (project / "models" / "names.yml").write_text(
        "models: [{name: names, columns: [{name: user_id, data_tests: [not_null]}]}]"
    )
    (port,) = free_ports(1)
    with listening() as alerts:
        process = start(shared_warehouse, project, "up", FOOTFALL_UI_PORT=str(port), FOOTFALL_ALERT_URL=alerts.url)
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("Dagster"):
                    break
            yield Ui(shared_warehouse, port, alerts)
        finally:
            process.terminate()
            process.communicate(timeout=60)


def test_one_table_selected_builds_and_publishes_all_and_the_record_says_so(ui: Ui) -> None:
    ui.load("ada", "ben")
    run = ui.materialize("people")
    assert run.status == "SUCCESS", run.messages
    assert published_people(ui.warehouse) == ["ada", "ben"]
    for table in ("people", "int_build_range", "published"):
        assert ui.runs_of(table) == [run.id]
    assert ui.figures("people").items() >= {"dagster/row_count": 2, "rows written": 2, "rows deleted": 0}.items()
    assert ui.figures("people")["rows read"] > 0
    assert ui.figures("people")["seconds"] > 0
    assert ui.check()["status"] == "SUCCEEDED"
    assert ui.table("people")["assetNodeOrError"]["staleStatus"] == "FRESH"
    assert ui.figures("raw/loads")["dagster/row_count"] == 1

    nothing = ui.materialize("people", "int_build_range", "published")
    assert nothing.status == "SUCCESS"
    assert any(message.startswith("Nothing to build") for message in nothing.messages)
    assert ui.runs_of("people") == [run.id]


def test_a_failed_check_leaves_the_record_of_the_tables_and_shows_what_it_found(ui: Ui) -> None:
    ui.materialize("published")
    before = ui.runs_of("people")
    bad = ui.load("mallory", "eve")
    failed = ui.materialize("people", "names")
    assert failed.status == "FAILURE"
    assert ui.runs_of("people") == ui.runs_of("published") == before
    check = ui.check()
    assert (check["runId"], check["status"]) == (failed.id, "FAILED")
    assert check["shown"]["rows found"] == 2
    assert (ui.check("names")["runId"], ui.check("names")["status"]) == (failed.id, "SUCCEEDED")
    rows = [json.loads(record) for record in check["shown"]["rows"]["records"]]
    assert len(rows) == 2
    assert "mallory" not in json.dumps(check), "people are not shown"
    assert "select" in check["shown"]["statement"]

    until(lambda: any(alert["run_id"] == failed.id for alert in ui.alerts.posted))
    assert "people" in ui.alerts.posted[-1]["text"]

    ui.withdraw(bad)
    again = ui.wait(ui.again(failed.id))
    assert again.status == "SUCCESS", again.messages
    assert ui.check()["status"] == "SUCCEEDED"
    assert "eve" not in published_people(ui.warehouse)


def test_tables_are_stale_while_loads_wait_and_two_runs_take_their_turn(ui: Ui) -> None:
    ui.materialize("published")
    ui.load("ada")
    # A sensor tells Dagster of the load.
    until(lambda: ui.table("people")["assetNodeOrError"]["staleStatus"] == "STALE")
    assert ui.table("published")["assetNodeOrError"]["staleStatus"] == "STALE"

    launched = [ui.launch("people"), ui.launch(job="build_warehouse")]
    first, second = sorted((ui.wait(run) for run in launched), key=lambda run: run.started)
    assert (first.status, second.status) == ("SUCCESS", "SUCCESS")
    assert first.ended <= second.started
    assert ui.table("people")["assetNodeOrError"]["staleStatus"] == "FRESH"


def test_checks_alone_look_at_what_is_published_and_change_nothing(ui: Ui) -> None:
    ui.load("ada")
    ui.materialize("published")
    before = ui.runs_of("people")
    ui.load("ben")  # waits, and goes on waiting
    name = ui.check()["name"]
    asked = [{"assetKey": {"path": ["people"]}, "name": name}]
    good = ui.wait(ui.launch(checks=asked))
    assert good.status == "SUCCESS", good.messages
    assert (ui.check()["runId"], ui.check()["status"]) == (good.id, "SUCCEEDED")

    with ui.warehouse.client(ui.warehouse.settings.database) as client:
        client.command("INSERT INTO people (tenant_id, user_id) VALUES ('north', 'mallory')")
    bad = ui.wait(ui.launch(checks=asked))
    assert (ui.check()["runId"], ui.check()["status"]) == (bad.id, "FAILED")
    assert bad.status == "FAILURE", "so that somebody is told"
    assert ui.runs_of("people") == ui.runs_of("published") == before


def test_a_click_on_materialize_in_a_browser_builds_and_the_page_shows_it(ui: Ui) -> None:
    ui.load("ada", "ben")
    before = ui.runs()
    with browser_page() as page:

        def until_there(holds: Callable[[], bool]) -> None:
            # While Playwright waits the page goes on; while Python sleeps it does not.
            until(lambda: page.wait_for_timeout(500) is None and holds())

        page.goto(f"http://127.0.0.1:{ui.port}/assets/people")
        page.get_by_role("button", name="Materialize").first.click()
        # Dagster asks first if something upstream has never been materialized.
        sure = page.get_by_role("button", name="Confirm")
        until_there(lambda: sure.is_visible() or len(ui.runs()) > len(before))
        if sure.is_visible():
            sure.click()
        until_there(lambda: len(ui.runs()) > len(before))
        run = ui.wait(ui.runs()[0])
        assert run.status == "SUCCESS", run.messages
        assert ui.runs_of("people")[0] == run.id
        page.reload()
        page.get_by_text("Row count").first.wait_for()
