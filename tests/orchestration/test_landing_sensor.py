"""The sensor on the landing folder: what it sees, when it asks for a run, and which days it comes back to."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from ingest.landing_folder import today
from orchestration import landing_sensor
from orchestration.definitions import defs
from orchestration.landing_days import days_from
from orchestration.landing_sensor import landing_folder
from orchestration.landing_state import landing_state

DAY = "2026-01-01"
FIRST = date(2026, 1, 1)


def put(landing: Path, name: str, content: str = "{}") -> Path:
    file = landing / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return file


def test_a_day_changes_with_each_of_its_files_and_options(tmp_path: Path) -> None:
    assert landing_state(tmp_path) == {}
    events = put(tmp_path, f"events/{DAY}/a.ndjson", "{}")
    put(tmp_path, "identity_mappings/2026-01-02/b.csv", "x")
    before = landing_state(tmp_path)
    assert set(before) == {f"events/{DAY}", "identity_mappings/2026-01-02"}
    events.write_text("{}\n{}")
    after = landing_state(tmp_path)
    assert after[f"events/{DAY}"] != before[f"events/{DAY}"]
    assert after["identity_mappings/2026-01-02"] == before["identity_mappings/2026-01-02"]
    for name, concerned in (
        (f"events/{DAY}/footfall.yml", {f"events/{DAY}"}),
        ("identity_mappings/footfall.yml", {"identity_mappings/2026-01-02"}),
        ("footfall.yml", set(before)),
    ):
        seen = landing_state(tmp_path)
        put(tmp_path, name, "tenant: t")
        assert {key for key, digest in landing_state(tmp_path).items() if digest != seen[key]} == concerned
    events.unlink()
    assert set(landing_state(tmp_path)) == {"identity_mappings/2026-01-02"}, "options alone are nothing to load"


def test_it_sees_the_files_that_are_loaded_and_no_others(tmp_path: Path) -> None:
    for name in (".a.ndjson.part", "_b.ndjson", "_old/c.ndjson", "README.txt"):
        put(tmp_path, f"events/{DAY}/{name}")
    assert landing_state(tmp_path) == {}
    put(tmp_path, f"events/{DAY}/folder/d.ndjson")
    assert set(landing_state(tmp_path)) == {f"events/{DAY}"}


class Ticks:
    """The sensor's ticks on a landing folder, one after another, on one instance of Dagster."""

    def __init__(self, landing: Path, instance: dg.DagsterInstance) -> None:
        self.landing = landing
        self.instance = instance
        self.cursor: str | None = None
        self.reason = ""

    def next(self) -> list[dg.RunRequest]:
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor, definitions=defs)
        data = landing_folder.evaluate_tick(context)
        self.cursor, self.reason = data.cursor, data.skip_message or ""
        return list(data.run_requests or [])

    def days(self) -> list[dict[str, list[str]]]:
        """Of each run that the next tick asks for, the days of each table."""
        return [
            {op.removeprefix("raw__"): each["config"]["days"] for op, each in request.run_config["ops"].items()}
            for request in self.next()
        ]


@pytest.fixture
def ticks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ticks]:
    monkeypatch.setenv("FOOTFALL_HOME", str(tmp_path))
    monkeypatch.setattr(landing_sensor, "LANDING_DAYS", days_from(FIRST))
    with dg.DagsterInstance.ephemeral() as instance:
        yield Ticks(tmp_path / "landing", instance)


def test_two_hundred_days_are_one_run(ticks: Ticks) -> None:
    days = [(FIRST + timedelta(days=i)).isoformat() for i in range(200)]
    for day in days:
        put(ticks.landing, f"events/{day}/a.ndjson")
    put(ticks.landing, f"identity_mappings/{days[7]}/a.csv")
    (request,) = ticks.next()
    assert request.tags["dagster/asset_partition_range_start"] == days[0]
    assert request.tags["dagster/asset_partition_range_end"] == days[-1]
    assert request.run_config["ops"]["raw__events"]["config"]["days"] == days
    assert request.run_config["ops"]["raw__identity_mappings"]["config"]["days"] == [days[7]]
    assert request.run_key is None, "Dagster runs a key only once"
    assert ticks.next() == []
    assert ticks.reason == "No landing day has changed."


def test_of_a_range_only_the_days_and_the_tables_that_changed_are_loaded(ticks: Ticks) -> None:
    for day in range(1, 10):
        put(ticks.landing, f"events/2026-01-0{day}/a.ndjson")
        put(ticks.landing, f"identity_mappings/2026-01-0{day}/a.csv")
    ticks.next()
    for day in (2, 8):
        put(ticks.landing, f"events/2026-01-0{day}/a.ndjson", "{}\n{}")
    (request,) = ticks.next()
    assert request.asset_selection == [dg.AssetKey(["raw", "events"])]
    assert request.run_config["ops"] == {"raw__events": {"config": {"days": ["2026-01-02", "2026-01-08"]}}}


def test_a_day_that_looks_as_it_did_before_is_loaded_again(ticks: Ticks) -> None:
    file = put(ticks.landing, f"events/{DAY}/a.ndjson")
    away = file.with_name(".a.ndjson")
    for _ in range(2):
        assert ticks.days() == [{"events": [DAY]}]
        assert ticks.days() == []
        file.rename(away)
        assert ticks.days() == [{"events": [DAY]}]
        away.rename(file)


def test_tomorrow_is_loaded_once_it_is_today(ticks: Ticks) -> None:
    put(ticks.landing, f"events/{today() + timedelta(days=1)}/a.ndjson")
    put(ticks.landing, "events/not a day/a.ndjson")
    assert ticks.days() == []
    assert "has not begun yet" in ticks.reason and "is no day that exists" in ticks.reason
    assert ticks.cursor is not None and json.loads(ticks.cursor) == {}


def test_a_day_before_the_first_partition_is_named(ticks: Ticks) -> None:
    put(ticks.landing, "events/2025-12-31/a.ndjson")
    assert ticks.days() == []
    assert "events/2025-12-31" in ticks.reason and "is reloaded" in ticks.reason


def test_what_changes_while_a_run_waits_in_the_queue_waits_for_the_next(
    ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(ticks.landing, f"events/{DAY}/a.ndjson")
    ticks.next()
    put(ticks.landing, "events/2026-01-02/a.ndjson")
    asked: list[dg.RunsFilter] = []
    with monkeypatch.context() as patch:
        # Only a daemon can queue a run.
        patch.setattr(ticks.instance, "get_runs", lambda filters, limit: asked.append(filters) or ["a run"])
        assert ticks.days() == []
        assert ticks.reason == "1 landing day waits: a run of load_landing is still in the queue."
    assert (asked[0].job_name, asked[0].statuses) == ("load_landing", [dg.DagsterRunStatus.QUEUED])
    assert ticks.days() == [{"events": ["2026-01-02"]}]


def test_a_day_that_failed_is_tried_again_after_hours_and_not_for_ever(
    ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(ticks.landing, f"events/{DAY}/a.ndjson")
    now = 1_000_000.0
    monkeypatch.setattr(landing_sensor.time, "time", lambda: now)
    status = dg.DagsterRunStatus.FAILURE

    def get_status(_key: dg.AssetKey, days: list[str], _definition: object) -> dict[str, object]:
        from dagster._core.storage.partition_status_cache import AssetPartitionStatus

        failed = status == dg.DagsterRunStatus.FAILURE
        return dict.fromkeys(days, AssetPartitionStatus.FAILED if failed else AssetPartitionStatus.MATERIALIZED)

    monkeypatch.setattr(ticks.instance, "get_status_by_partition", get_status)
    assert ticks.days() == [{"events": [DAY]}]
    tried_after = []
    for hour in range(1, 100):
        now += 3600
        tried_after += [hour] * len(ticks.days())
    assert tried_after == [1, 3, 7, 15]
    file.write_text("{}\n{}")
    assert ticks.days() == [{"events": [DAY]}], "a change is always a reason"
    status = dg.DagsterRunStatus.SUCCESS
    now += 100 * 3600
    assert ticks.days() == []


def test_a_cursor_of_an_older_version_is_forgotten(ticks: Ticks) -> None:
    put(ticks.landing, f"events/{DAY}/a.ndjson")
    ticks.cursor = json.dumps({DAY: [["events/a.ndjson", 2, 1]]})
    assert ticks.days() == [{"events": [DAY]}]
