"""What people click in Dagster's UI, by the same GraphQL that the UI speaks, against one `footfall up`.

Landing days come first: they begin with a first day, while the other tests' loads have a date long ago.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from tests.cli.conftest import footfall_of
from tests.orchestration.browser import browser_page
from tests.orchestration.conftest import published_people, put_landing, start, tiny_project
from tests.orchestration.listener import listening
from tests.orchestration.ui import DAYS, REPOSITORY, Ui, until
from warehouse.connection import Warehouse
from warehouse.ports import free_ports

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


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
        ui = Ui(shared_warehouse, port, alerts)
        ui.put(DAYS[3])
        ui.put(DAYS[4], events=2)
        ui.put(DAYS[5])
        process = start(shared_warehouse, project, "up", FOOTFALL_UI_PORT=str(port), FOOTFALL_ALERT_URL=alerts.url)
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
    _backfills_have_a_result_for_each_day_and_raw_then_tables_is_one_click(ui)
    ui.put(DAYS[1])  # noticed within half a minute, see below
    _loads_of_the_command_are_recorded(ui)
    _an_earlier_day_becomes_a_partition(ui)
    _the_sensor_asks_for_one_run(ui)


def _partitions_begin_with_the_first_day(ui: Ui) -> None:
    assert ui.partitions() == DAYS[3:]


def _backfills_have_a_result_for_each_day_and_raw_then_tables_is_one_click(ui: Ui) -> None:
    put_landing(ui.warehouse, DAYS[4], "broken.json", b"\x00\x01")
    ui.put(DAYS[6], person="ben")
    raw = ui.backfill(assetSelection=[{"path": ["raw", "events"]}], partitionNames=DAYS[3:6])
    job = {"repositorySelector": REPOSITORY, "partitionSetName": "load_and_build_partition_set"}
    raw_then_tables = ui.backfill(selector=job, partitionNames=DAYS[5:7])
    run = ui.ended(**raw)
    assert run.status == "FAILURE"
    assert f"{DAYS[3]}: a.ndjson is loaded: 1 rows accepted, 0 rejected, 0 duplicate." in run.messages
    built = ui.ended(**raw_then_tables)
    assert built.status == "SUCCESS", built.messages
    assert published_people(ui.warehouse) == ["ada", "ben"]
    green = dict.fromkeys(DAYS[3:7], "MATERIALIZED")
    assert ui.statuses() == green | {DAYS[4]: "FAILED"}
    assert ui.accepted() == {DAYS[3]: 1, DAYS[5]: 1, DAYS[6]: 1}

    ui.put(DAYS[4], name="broken.json")
    rerun = ui.wait(ui.again(run.id))
    assert rerun.status == "SUCCESS", rerun.messages
    assert f"{DAYS[3]}: a.ndjson is there already, with the same content." in rerun.messages
    assert ui.statuses() == green
    assert ui.accepted() == {DAYS[3]: 1, DAYS[4]: 3, DAYS[5]: 1, DAYS[6]: 1}


def _loads_of_the_command_are_recorded(ui: Ui) -> None:
    file = ui.warehouse.settings.home / "by_hand.ndjson"
    row = {"event": "page", "event_id": "hand", "distinct_id": "ada", "timestamp": f"{DAYS[0]} 12:00:00"}
    file.write_bytes(orjson.dumps(row))
    loaded = footfall_of(ui.warehouse)("load", "events", str(file), "--tenant", "north")
    assert loaded.returncode == 0, loaded.stderr
    assert (ui.warehouse.settings.home / "landing" / "identity_mappings").is_dir()
    until(lambda: ui.accepted().get(DAYS[9]) == 1)


def _an_earlier_day_becomes_a_partition(ui: Ui) -> None:
    until(lambda: ui.partitions() == DAYS[1:])


def _the_sensor_asks_for_one_run(ui: Ui) -> None:
    put_landing(ui.warehouse, "20261124", "a.ndjson", b"{}")
    ui.put(DAYS[7])
    ui.start_sensor("landing_folder")
    until(lambda: ui.runs_asked_for("landing_folder"))
    assert ui.runs_asked_for("landing_folder") == [1], "one run for six days"
    run = ui.ended(tags=[{"key": "dagster/sensor_name", "value": "landing_folder"}])
    assert run.status == "SUCCESS", run.messages
    first, last = (run.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end"))
    assert (first, last) == (DAYS[1], DAYS[7])
    assert [day for day in DAYS if ui.statuses().get(day) == "MATERIALIZED"] == [*DAYS[1:8], DAYS[9]]
    assert ui.accepted()[DAYS[7]] == 1 and ui.accepted()[DAYS[2]] == 0
    skipped = ui.next_tick("landing_folder")["skipReason"]
    assert skipped.startswith("No landing day has changed. This is not loaded: ") and "20261124" in skipped


def test_one_table_selected_builds_and_publishes_all_and_the_record_says_so(ui: Ui) -> None:
    there = ui.warehouse.has_table(ui.warehouse.settings.database, "people")
    deleted = len(published_people(ui.warehouse)) if there else 0  # this table is made anew by each build
    ui.load("ada", "ben")
    run = ui.materialize("people")
    assert run.status == "SUCCESS", run.messages
    assert published_people(ui.warehouse) == ["ada", "ben"]
    for table in ("people", "int_build_range", "published"):
        assert ui.runs_of(table)[0] == run.id
    assert ui.figures("people").items() >= {"dagster/row_count": 2, "rows written": 2, "rows deleted": deleted}.items()
    assert ui.figures("people")["rows read"] > 0
    assert ui.figures("people")["seconds"] > 0
    assert ui.check()["status"] == "SUCCEEDED"
    assert ui.stale_status("people") == "FRESH"
    with ui.warehouse.client(ui.warehouse.settings.raw_database) as client:
        loads = client.query("SELECT count() FROM loads FINAL").first_row[0]
    assert ui.figures("raw/loads")["dagster/row_count"] == loads

    assert ui.hourly_build()["skipReason"].startswith("Nothing waits to be built")
    nothing = ui.materialize("people", "int_build_range", "published")
    assert nothing.status == "SUCCESS"
    assert any(message.startswith("Nothing to build") for message in nothing.messages)
    assert ui.runs_of("people")[0] == run.id
    assert (ui.check()["runId"], ui.check()["status"]) == (nothing.id, "SUCCEEDED"), "not skipped"


def test_a_failed_check_leaves_the_record_of_the_tables_and_shows_what_it_found(ui: Ui) -> None:
    ui.build_what_waits()
    before = ui.runs_of("people"), ui.runs_of("published")
    bad = ui.load("mallory", "eve")
    failed = ui.materialize("people", "names")
    assert failed.status == "FAILURE"
    assert (ui.runs_of("people"), ui.runs_of("published")) == before
    check = ui.check()
    assert (check["runId"], check["status"]) == (failed.id, "FAILED")
    assert check["shown"]["rows found"] == 2
    assert (ui.check("names")["runId"], ui.check("names")["status"]) == (failed.id, "SUCCEEDED")
    rows = [json.loads(record) for record in check["shown"]["rows"]["records"]]
    assert len(rows) == 2
    assert "mallory" not in json.dumps(check), "people are not shown"
    assert "select" in check["shown"]["statement"]

    ui.withdraw(bad)
    again = ui.wait(ui.again(failed.id))
    assert again.status == "SUCCESS", again.messages
    assert ui.check()["status"] == "SUCCEEDED"
    assert "eve" not in published_people(ui.warehouse)

    (alert,) = until(lambda: [alert for alert in ui.alerts.posted if alert["run_id"] == failed.id])
    assert "people" in alert["text"]


def test_checks_alone_look_at_what_is_published_and_change_nothing_while_loads_wait(ui: Ui) -> None:
    ui.build_what_waits()
    before = ui.runs_of("people"), ui.runs_of("published")
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
    assert (ui.runs_of("people"), ui.runs_of("published")) == before
    # A sensor has told Dagster of the load meanwhile.
    until(lambda: ui.stale_status("people") == "STALE")
    assert ui.stale_status("published") == "STALE"


def test_two_runs_take_their_turn_and_what_was_stale_is_fresh(ui: Ui) -> None:
    ui.load("ada")
    launched = [ui.launch("people"), ui.launch(job="build_warehouse")]
    first, second = sorted((ui.wait(run) for run in launched), key=lambda run: run.started)
    assert (first.status, second.status) == ("SUCCESS", "SUCCESS")
    assert first.ended <= second.started
    assert ui.stale_status("people") == "FRESH"


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
