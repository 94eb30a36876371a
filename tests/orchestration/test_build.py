"""`footfall build`: the job build_warehouse from the ledger to the published tables."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from orchestration import build_log
from orchestration.dbt_run import outcome_of, run_dbt
from orchestration.plan import make_plan
from tests.cli.conftest import ROOT, Footfall, environment_of
from tests.orchestration.conftest import commit_load, publish_version, published_people, start, variables_of
from warehouse import publishing
from warehouse.connection import Warehouse
from warehouse.lock import exclusive


@contextmanager
def recorded(project: Path) -> Iterator[dg.DagsterInstance]:
    """The record of the runs on that copy of the tiny project."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", variables_of(project)["DAGSTER_HOME"])
        with dg.DagsterInstance.get() as instance:
            yield instance


def evaluation(instance: dg.DagsterInstance, table: str, name: str | None = None) -> dg.AssetCheckEvaluation:
    """What came of that check of a table, or of its only one, the last time."""
    events = instance.get_event_records(dg.EventRecordsFilter(dg.DagsterEventType.ASSET_CHECK_EVALUATION))
    for event in events:
        assert event.event_log_entry.dagster_event is not None
        found = event.event_log_entry.dagster_event.event_specific_data
        assert isinstance(found, dg.AssetCheckEvaluation)
        if found.asset_key == dg.AssetKey(table) and name in (None, found.check_name):
            return found
    raise KeyError(name)


def test_a_build_publishes_once_and_can_be_rolled_back(footfall: Footfall, warehouse: Warehouse, project: Path) -> None:
    commit_load(warehouse, 1, "ada")
    first = footfall("build")
    assert first.returncode == 0, first.stderr
    assert "first build, 1 new load" in first.stderr
    assert "Great Expectations" not in first.stderr, "there is no suite for any table of this project"
    assert published_people(warehouse) == ["ada"]
    with recorded(project) as instance:
        (build,) = build_log.builds(warehouse)
        for table in ("people", "published"):
            event = instance.get_latest_materialization_event(dg.AssetKey(table))
            assert event is not None, "what the command line builds is in the record of the UI"
            assert event.run_id == build.build_id
        assert evaluation(instance, "people").passed

    again = footfall("build")
    assert again.returncode == 0
    assert "Nothing to build" in again.stdout
    assert len(build_log.builds(warehouse)) == 1

    commit_load(warehouse, 2, "ben")
    changed = project / "models" / "people.sql"
    changed.write_text(changed.read_text().replace("'page'", "'view'") + "\n-- another thought")
    forecast = footfall("build", "--dry-run")
    assert forecast.returncode == 0, forecast.stderr
    assert forecast.stdout.splitlines() == [
        "Would build 1 load, up to number 2.",
        "Would rebuild 1 of 2 models, and keep the others:",
        "  people: SQL",
    ]
    assert len(build_log.builds(warehouse)) == 1
    second = footfall("build")
    assert second.returncode == 0, second.stderr
    assert "1 new load; 1 model to rebuild: people (SQL)" in second.stderr
    assert published_people(warehouse) == ["ada", "ben"]

    assert footfall("rollback").returncode == 0
    assert published_people(warehouse) == ["ada"]
    latest, earliest = build_log.builds(warehouse)
    assert (latest.status, latest.full_refresh, latest.to_seq) == ("rolled_back", False, 2)
    assert (earliest.status, earliest.from_seq, earliest.to_seq) == ("published", 0, 1)
    assert earliest.published_at is not None
    assert "Waiting        1 new load; 1 model to rebuild: people (SQL)" in footfall("status").stdout


def test_a_failed_dbt_test_publishes_nothing_and_is_named(footfall: Footfall, warehouse: Warehouse) -> None:
    commit_load(warehouse, 1, "ada", "mallory")
    result = footfall("build")
    assert result.returncode == 1
    assert "nothing was published: accepted_values_people" in result.stderr
    assert "Traceback" not in result.stderr
    (build,) = build_log.builds(warehouse)
    assert build.status == "failed"
    assert "accepted_values_people" in build.failed_checks[0]
    assert not warehouse.has_table(warehouse.settings.database, "people")
    assert warehouse.has_table(warehouse.settings.next_database, "people")
    assert "accepted_values_people" in footfall("status").stdout


PAGE_VIEWS_ARE_EVENTS = """
expectations:
  - why: page views are events
    type: expect_column_pair_values_a_to_be_greater_than_b
    kwargs: {column_A: events_count, column_B: pageviews_count, or_equal: true}
"""


def test_a_failed_expectation_publishes_nothing_and_is_named(
    footfall: Footfall, warehouse: Warehouse, project: Path
) -> None:
    commit_load(warehouse, 1, "ada")
    people = (project / "models" / "people.sql").read_text()
    (project / "expectations").mkdir()
    (project / "expectations" / "users.yml").write_text(PAGE_VIEWS_ARE_EVENTS)
    (project / "models" / "users.sql").write_text(people.replace("countIf(event = 'page')", "toUInt64(7)"))
    result = footfall("build")
    assert result.returncode == 1
    assert "nothing was published: users: page views are events: does not hold" in result.stderr
    (build,) = build_log.builds(warehouse)
    assert build.status == "failed"
    assert not warehouse.has_table(warehouse.settings.database, "users")
    with recorded(project) as instance:
        assert instance.get_latest_materialization_event(dg.AssetKey("users")) is None
        found = evaluation(instance, "users", "page_views_are_events")
        assert not found.passed
        shown = {name: entry.value for name, entry in found.metadata.items()}
        assert shown["expected"] == "events_count >= pageviews_count"
        assert shown["observed"] == "1 unexpected rows"
        assert shown["rows found"] == 1
        assert "WHERE NOT (events_count >= pageviews_count)" in str(shown["statement"])
        (row,) = found.metadata["rows"].records  # type: ignore[union-attr]
        assert row.data["pageviews_count"] == "7"
        assert "user_id" not in row.data


def test_a_build_that_runs_out_of_memory_names_the_key_that_holds_most(
    footfall: Footfall, warehouse: Warehouse, project: Path
) -> None:
    models = project / "models"
    too_large = (
        "select range(20000000 + length(user_id)) as numbers from {{ ref('MODEL') }} settings max_memory_usage = 1e8"
    )
    (models / "too_large.sql").write_text(too_large.replace("MODEL", "people"))
    commit_load(warehouse, 1, "ada", "ada", "ben")
    failed = footfall("build")
    assert failed.returncode == 1
    # of what was loaded, while there is no table of the days of ids
    assert "most are those of one distinct id of tenant 'north' (2 events). Give" in failed.stderr
    assert "distinct id 'ada' of tenant 'north' (2 events)" in failed.stdout + failed.stderr

    (models / "int_id_days.sql").write_text(
        "select 'north' as tenant_id, id as distinct_id, 'd:' || id as session_key, events as events_count"
        " from values('id String, events UInt64', ('kiosk', 150000), ('ada', 3))"
    )
    (models / "identities.sql").write_text(
        "select tenant_id, distinct_id, 'of ' || distinct_id as user_id from {{ ref('int_id_days') }}"
    )
    (models / "too_large.sql").write_text(too_large.replace("MODEL", "identities"))
    failed = footfall("build")
    assert failed.returncode == 1
    sentence = (
        "too_large: the warehouse has not enough memory for it; of its events most are those of one person of tenant"
        " 'north' (150,000 events) and one session id or device of tenant 'north' (150,000 events)"
    )
    named = [
        "person 'of kiosk' of tenant 'north' (150,000 events)",
        "session id or device 'kiosk' of tenant 'north' (150,000 events)",
    ]
    assert sentence in failed.stderr
    assert all(key in failed.stdout + failed.stderr for key in named)
    (failure,) = build_log.builds(warehouse)[0].failed_checks
    assert sentence in failure and "kiosk" not in failure, "alerts tell the same"
    assert "MEMORY_LIMIT" not in failed.stderr and "Traceback" not in failed.stderr
    with recorded(project) as instance:
        (run,) = instance.get_runs(limit=1)
        said = [event.user_message + str(event.dagster_event) for event in instance.all_logs(run.run_id)]
    assert all(any(told in each for each in said) for told in (sentence, *named))
    assert not any("MEMORY_LIMIT" in each for each in said)


def test_a_model_that_does_not_run_is_named_with_the_servers_words(
    footfall: Footfall, warehouse: Warehouse, project: Path
) -> None:
    commit_load(warehouse, 1, "ada")
    (project / "models" / "people.sql").write_text("select nobody from {{ source('raw', 'loads') }}")
    result = footfall("build")
    assert result.returncode == 1
    assert "people: Code: 47. DB::Exception: Unknown expression identifier `nobody`" in result.stderr


def test_a_project_that_does_not_parse_says_so(footfall: Footfall, warehouse: Warehouse, project: Path) -> None:
    commit_load(warehouse, 1, "ada")
    (project / "models" / "people.sql").write_text("select {{ ref('nothing') }}")
    result = footfall("build")
    assert result.returncode == 1
    assert "does not parse" in result.stderr
    assert "'nothing'" in result.stderr


def test_a_swap_that_stops_half_way_says_so_and_the_next_build_ends_it(
    footfall: Footfall, warehouse: Warehouse, project: Path
) -> None:
    commit_load(warehouse, 1, "ada")
    names = project / "models" / "names.sql"
    names.write_text("{{ config(materialized='view') }} select user_id from {{ ref('people') }}")
    assert footfall("build").returncode == 0
    commit_load(warehouse, 2, "ben")
    published = warehouse.settings.database
    with warehouse.client() as client:
        # Somebody's view on ours. Ours now reads theirs: two views that read each other, which ClickHouse refuses.
        client.command(f"CREATE VIEW {published}.mine AS SELECT user_id FROM {published}.names")
        names.write_text(f"{{{{ config(materialized='view') }}}} select user_id from {published}.mine")
        stopped = footfall("build")
        assert stopped.returncode == 1
        assert "stopped while it was being published" in stopped.stderr, stopped.stderr
        assert f"{published}.names" in stopped.stderr
        assert "nothing was published" not in stopped.stderr
        assert published_people(warehouse) == ["ada", "ben"]  # this table is swapped already
        client.command(f"DROP VIEW {published}.mine")
    ended = footfall("build")
    assert ended.returncode == 0, ended.stderr
    assert "Nothing to build" in ended.stdout
    assert [build.status for build in build_log.builds(warehouse)] == ["published", "published"]


def test_a_build_that_finds_its_work_done_by_another_claims_nothing(
    warehouse: Warehouse, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTFALL_DBT_PROJECT_DIR", str(project))
    commit_load(warehouse, 1, "ada")
    process = start(warehouse, project, "build")
    assert process.stderr is not None
    assert "Starting the job" in process.stderr.readline()  # with no lock yet
    publish_version(warehouse, 1, "another", make_plan(warehouse).parts, "ada")
    said, troubles = process.communicate(timeout=240)
    assert process.returncode == 0, troubles
    assert "Nothing to build: another command" in said
    assert "Published" not in said
    with recorded(project) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("people"))
        assert event is not None, "what is published is recorded, whoever published it"
        assert event.asset_materialization is not None
        assert event.asset_materialization.metadata["build"].value == "another"


def test_dbt_by_hand_takes_the_place_of_the_previous_version_and_the_next_build_goes_on(
    footfall: Footfall, warehouse: Warehouse, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTFALL_DBT_PROJECT_DIR", str(project))
    commit_load(warehouse, 1, "ada")
    for build_id in ("one", "two"):
        publish_version(warehouse, 1, build_id, make_plan(warehouse).parts, "ada")
    for harmless in (("ls",), ("run", "--help")):
        assert footfall("dbt", *harmless).returncode == 0
        assert publishing.standing(warehouse).published.build_id == "two"
    assert footfall("rollback").returncode == 0

    publish_version(warehouse, 1, "three", make_plan(warehouse).parts, "ada")
    by_hand = footfall("dbt", "run", "--select", "people")
    assert by_hand.returncode == 0, by_hand.stdout
    refused = footfall("rollback")
    assert refused.returncode == 1
    assert "There is no previous version to roll back to" in refused.stderr
    commit_load(warehouse, 2, "ben")
    build = footfall("build")
    assert build.returncode == 0, build.stderr
    assert "Building: 1 new load" in build.stderr
    assert published_people(warehouse) == ["ada", "ben"]


# In processes of their own: the definitions read the environment when they are imported.
RUN = """
from orchestration.run import run_build
from warehouse.settings import get_settings
print(run_build(get_settings(), full_refresh=False).errors)
"""


def in_a_process(warehouse: Warehouse, project: Path, code: str) -> str:
    """What the code prints, run with this warehouse and the tiny project."""
    done = subprocess.run(
        [sys.executable, "-c", code, str(project.parent)],
        cwd=ROOT, env=environment_of(warehouse, **variables_of(project)), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_stops_the_job_before_its_first_step_is_told(warehouse: Warehouse, project: Path) -> None:
    with exclusive(warehouse, "a long load"):
        assert "a long load" in in_a_process(warehouse, project, RUN)


def test_dbt_that_ends_badly_without_a_failed_result_has_failed(warehouse: Warehouse, tmp_path: Path) -> None:
    (failure,) = run_dbt(warehouse, ["build", "--no-such-option"], target=tmp_path).failures
    assert failure.startswith("dbt ended with exit code 2: ")
    assert "--no-such-option" in failure

    (tmp_path / "run_results.json").write_text(
        '{"results": [{"unique_id": "model.a.b", "status": "success", "message": "OK", "failures": null,'
        ' "execution_time": 0.1}]}'
    )
    assert outcome_of(137, tmp_path / "run_results.json", []).failures == (
        "dbt ended with exit code 137: it did not say why",
    )
