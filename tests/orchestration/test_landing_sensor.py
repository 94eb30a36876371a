"""The sensor on the landing folder: what it sees, when it asks for a run, and which runs are repeated."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.tags import WILL_RETRY_TAG

from ingest.loading import LoadResult
from orchestration import raw_assets
from orchestration.automation import landing_folder
from orchestration.definitions import defs
from orchestration.landing_state import landing_state
from orchestration.run import dagster_home
from warehouse.connection import Warehouse
from warehouse.lock import exclusive

DAY = "2026-01-01"


def put(landing: Path, name: str, content: str = "{}") -> Path:
    file = landing / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return file


def test_a_day_changes_with_each_of_its_files(tmp_path: Path) -> None:
    assert landing_state(tmp_path) == {}
    events = put(tmp_path, f"events/{DAY}/a.ndjson", "{}")
    put(tmp_path, "identity_mappings/2026-01-02/b.csv", "x")
    before = landing_state(tmp_path)
    assert set(before) == {DAY, "2026-01-02"}
    events.write_text("{}\n{}")
    after = landing_state(tmp_path)
    assert after[DAY] != before[DAY]
    assert after["2026-01-02"] == before["2026-01-02"]
    events.unlink()
    assert set(landing_state(tmp_path)) == {"2026-01-02"}


def test_it_sees_the_files_that_are_loaded_and_no_others(tmp_path: Path) -> None:
    for name in (".a.ndjson.part", "_b.ndjson", "_old/c.ndjson", "README.txt"):
        put(tmp_path, f"events/{DAY}/{name}")
    assert landing_state(tmp_path) == {}
    put(tmp_path, f"events/{DAY}/folder/d.ndjson")
    ((name, *_),) = landing_state(tmp_path)[DAY]
    assert name == "events/folder/d.ndjson"


class Ticks:
    """The sensor's ticks on a landing folder, one after another."""

    def __init__(self, landing: Path) -> None:
        self.landing = landing
        self.cursor: str | None = None

    def next(self) -> list[dg.RunRequest]:
        with dg.DagsterInstance.ephemeral() as instance:
            context = dg.build_sensor_context(instance=instance, cursor=self.cursor, definitions=defs)
            data = landing_folder.evaluate_tick(context)
        self.cursor = data.cursor
        return list(data.run_requests or [])


@pytest.fixture
def ticks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ticks:
    monkeypatch.setenv("FOOTFALL_HOME", str(tmp_path))
    return Ticks(tmp_path / "landing")


def test_a_day_that_looks_as_it_did_before_is_loaded_again(ticks: Ticks) -> None:
    file = put(ticks.landing, f"events/{DAY}/a.ndjson")
    away = file.with_name(".a.ndjson")
    for _ in range(2):
        requests = ticks.next()
        assert ticks.next() == []
        file.rename(away)
        requests += ticks.next()
        away.rename(file)
        assert [request.partition_key for request in requests] == [DAY, DAY]
        assert [request.run_key for request in requests] == [None, None], "Dagster runs a key only once"


def test_tomorrow_is_loaded_once_it_is_today(ticks: Ticks) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    put(ticks.landing, f"events/{tomorrow}/a.ndjson")
    put(ticks.landing, "events/not a day/a.ndjson")
    assert ticks.next() == []
    assert ticks.cursor is not None and json.loads(ticks.cursor) == {}


@pytest.fixture
def instance(warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """A Dagster home as Footfall makes it, for runs on this warehouse."""
    for name, value in warehouse.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    dagster_home(warehouse.settings)
    with dg.DagsterInstance.get() as instance:
        yield instance


def run(instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    return defs.resolve_job_def("load_landing").execute_in_process(
        instance=instance,
        partition_key=DAY,
        raise_on_error=False,
        run_config={"resources": {"warehouse": {"config": {"wait_seconds": 0.0}}}},
    )


def will_retry(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> bool:
    (record,) = instance.get_run_records(dg.RunsFilter(run_ids=[result.run_id]))
    return record.dagster_run.tags.get(WILL_RETRY_TAG) == "true"


def test_a_run_that_could_not_get_the_lock_is_repeated(warehouse: Warehouse, instance: dg.DagsterInstance) -> None:
    with exclusive(warehouse.settings, "something else"):
        result = run(instance)
    assert not result.success
    assert will_retry(instance, result)


@pytest.mark.parametrize("may_heal", [True, False])
def test_a_load_is_repeated_if_the_warehouse_was_at_fault_not_the_file(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, may_heal: bool
) -> None:
    tries: list[str] = []

    def load_day(_warehouse: Warehouse, table: str, _day: object) -> list[LoadResult]:
        tries.append(table)
        is_first = tries.count("events") == 1 and table == "events"
        return [LoadResult(Path("a"), "failed", reason="so it is", may_heal=may_heal)] if is_first else []

    monkeypatch.setattr(raw_assets, "load_day", load_day)
    result = run(instance)
    assert result.success == may_heal
    assert tries.count("events") == 1 + may_heal
    assert not will_retry(instance, result)
