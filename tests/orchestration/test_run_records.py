import importlib.util
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import dagster as dg
import pytest
import sqlalchemy
import yaml

from orchestration.run import dagster_home
from orchestration.run_records import RunRecords, do_not_wait_for_the_disk
from tests.cli.conftest import ROOT
from warehouse.settings import Settings


@dg.asset(check_specs=[dg.AssetCheckSpec("is_there", asset="counted")])
def counted() -> dg.MaterializeResult:  # type: ignore[type-arg]
    return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True, check_name="is_there")])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    folder = dagster_home(Settings(home=tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    yield folder


def test_the_private_parts_of_dagster_that_the_storage_stands_on_are_there() -> None:
    needed = {
        "dagster._core.storage.event_log.sqlite.sqlite_event_log": {
            "INDEX_SHARD_NAME": (),
            "SqliteEventLogStorage": ("_connect", "path_for_shard", "store_event", "wipe", "dispose"),
        },
        "dagster._core.storage.sqlite": {"SQLITE_BUSY_TIMEOUT_SECONDS": ()},
        "dagster._core.storage.sqlite_storage": {"DagsterSqliteStorage": ("from_local", "event_log_storage")},
        "dagster._core.events.log": {"EventLogEntry": ("run_id",)},
        "dagster._serdes": {"ConfigurableClassData": ()},
    }
    gone = []
    for module, names in needed.items():
        found = importlib.import_module(module) if importlib.util.find_spec(module) else None
        for name, attributes in names.items():
            gone += [f"{module}.{name}"] if not hasattr(found, name) else []
            gone += [f"{module}.{name}.{each}" for each in attributes if not hasattr(getattr(found, name, None), each)]
    assert gone == [], (
        f"Dagster {dg.__version__} has moved what orchestration/run_records.py uses: {', '.join(gone)}. Go back to"
        " the version in requirements.in, or follow it there; without the `storage:` lines of dagster.yaml all works,"
        " only slower."
    )


# What a home had before runs waited for each other in a queue.
EARLIER = """\
# The Dagster instance of this home. Runs, events and schedules are kept in SQLite files beside this file.
telemetry:
  enabled: false
nux:
  enabled: false
# SQLite files beside this one, as by default, but written faster.
storage:
  custom:
    module: orchestration.run_records
    class: RunRecords
    config:
      base_dir:
        env: DAGSTER_HOME
# for jobs that say how often
run_retries:
  enabled: true
"""


def test_a_home_of_an_earlier_version_gets_the_queue_and_one_that_somebody_changed_is_left(home: Path) -> None:
    file = home / "dagster.yaml"
    new = file.read_text()
    file.write_text(EARLIER)
    dagster_home(Settings(home=home.parent))
    assert file.read_text() == new
    changed = EARLIER.replace("enabled: true", "enabled: false")
    file.write_text(changed)
    dagster_home(Settings(home=home.parent))
    assert file.read_text() == changed


def test_the_compose_deployment_retries_and_queues_like_a_home(home: Path) -> None:
    ours = yaml.safe_load((home / "dagster.yaml").read_text())
    theirs = yaml.safe_load((ROOT / "deploy" / "dagster" / "dagster.yaml").read_text())
    for section in ("run_retries", "concurrency", "telemetry"):
        assert theirs[section] == ours[section]


def test_a_home_keeps_its_runs_with_our_storage(home: Path) -> None:
    with dg.DagsterInstance.get() as instance:
        assert instance.get_ref().storage_data.class_name == RunRecords.__name__  # type: ignore[union-attr]


def test_another_process_sees_what_a_run_left(home: Path) -> None:
    with dg.DagsterInstance.get() as ours:
        run = dg.materialize([counted], instance=ours).run_id
        with dg.DagsterInstance.get() as theirs:
            assert theirs.get_run_by_id(run).status == dg.DagsterRunStatus.SUCCESS  # type: ignore[union-attr]
            assert theirs.get_latest_materialization_event(dg.AssetKey("counted")) is not None
            checks = theirs.event_log_storage.get_asset_check_execution_history(
                dg.AssetCheckKey(dg.AssetKey("counted"), "is_there"), limit=5
            )
            assert [check.status.value for check in checks] == ["SUCCEEDED"]


def test_the_ui_follows_a_run_while_it_goes_on(home: Path) -> None:
    with dg.DagsterInstance.get() as ours, dg.DagsterInstance.get() as ui:
        run = ours.create_run_for_job(dg.Definitions(assets=[counted]).resolve_implicit_global_asset_job_def())
        said: Queue[str] = Queue()
        ui.watch_event_logs(run.run_id, None, lambda event, _: said.put(event.message))
        for message in ("one", "two"):
            ours.report_engine_event(message, run)
            while said.get(timeout=20) != message:
                pass


def test_runs_that_dagster_recorded_itself_are_still_there(home: Path) -> None:
    with dg.DagsterInstance.local_temp(str(home)) as before:
        run = dg.materialize([counted], instance=before).run_id
    with dg.DagsterInstance.get() as instance:
        assert instance.get_latest_materialization_event(dg.AssetKey("counted")).run_id == run  # type: ignore[union-attr]


def test_commits_do_not_wait_for_the_disk(tmp_path: Path) -> None:
    do_not_wait_for_the_disk()
    with sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'runs.db'}").connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
