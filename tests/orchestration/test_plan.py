"""What a build would do."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.plan import make_plan
from orchestration.project import content_hash
from tests.orchestration.conftest import commit_load, publish_version
from warehouse.connection import Warehouse


@pytest.fixture(autouse=True)
def tiny_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTFALL_DBT_PROJECT_DIR", str(project))


def publish_range(warehouse: Warehouse, to_seq: int) -> None:
    """Publish what a build up to this seq by this very project would."""
    publish_version(warehouse, to_seq, "one", make_plan(warehouse).project_hash)


def test_nothing_loaded_is_nothing_to_do(warehouse: Warehouse) -> None:
    assert make_plan(warehouse).nothing_to_do


def test_the_first_build_takes_everything(warehouse: Warehouse) -> None:
    commit_load(warehouse, 1, "ada")
    commit_load(warehouse, 2, "ben")
    plan = make_plan(warehouse)
    assert (plan.from_seq, plan.to_seq, plan.waiting, plan.full_refresh) == (0, 2, 2, True)


def test_later_builds_take_what_is_new(warehouse: Warehouse) -> None:
    commit_load(warehouse, 1, "ada")
    publish_range(warehouse, 1)
    assert make_plan(warehouse).nothing_to_do
    commit_load(warehouse, 2, "ben")
    plan = make_plan(warehouse)
    assert (plan.from_seq, plan.to_seq, plan.waiting, plan.full_refresh) == (1, 2, 1, False)
    assert plan.reason == "1 new load"


def test_a_withdrawn_load_is_work_too(warehouse: Warehouse) -> None:
    commit_load(warehouse, 1, "ada")
    publish_range(warehouse, 1)
    with warehouse.client(warehouse.settings.raw_database) as client:
        client.insert(
            "loads",
            [["load-1", 1, "events", "1.json", "superseded", 2, datetime(2026, 1, 1, tzinfo=UTC), 2]],
            column_names=[
                "load_id",
                "load_seq",
                "table",
                "path",
                "status",
                "superseded_seq",
                "committed_at",
                "version",
            ],
        )
    assert (make_plan(warehouse).to_seq, make_plan(warehouse).waiting) == (2, 1)


def test_a_changed_model_is_a_full_refresh_but_a_changed_description_or_test_is_not(
    warehouse: Warehouse, project: Path
) -> None:
    commit_load(warehouse, 1, "ada")
    publish_range(warehouse, 1)
    before = content_hash(project)
    described = project / "models" / "people.yml"
    described.write_text(described.read_text().replace("One row per person.", "People.").replace("ben", "eve"))
    assert content_hash(project) == before
    assert make_plan(warehouse).nothing_to_do
    model = project / "models" / "people.sql"
    model.write_text(model.read_text().replace("'page'", "'view'"))
    assert make_plan(warehouse).full_refresh


def test_another_tracking_key_is_a_full_refresh(warehouse: Warehouse) -> None:
    commit_load(warehouse, 1, "ada")
    publish_range(warehouse, 1)
    settings = type(warehouse.settings).model_validate(
        {**warehouse.settings.model_dump(), "secret": "another secret of more than thirty-two characters"}
    )
    assert make_plan(replace(warehouse, settings=settings)).full_refresh


def test_tables_of_an_unknown_build_are_a_full_refresh(warehouse: Warehouse) -> None:
    commit_load(warehouse, 1, "ada")
    publish_version(warehouse, 1, "", "")
    plan = make_plan(warehouse)
    assert plan.full_refresh
    assert "not known" in plan.reason


def test_a_ledger_behind_the_published_tables_is_a_full_refresh(warehouse: Warehouse) -> None:
    commit_load(warehouse, 1, "ada")
    publish_range(warehouse, 3)  # then the raw tables were restored from an older backup
    plan = make_plan(warehouse)
    assert plan.full_refresh
    assert plan.reason == "full refresh, because the ledger is behind the published tables"


def test_without_any_load_the_published_tables_are_left_alone(warehouse: Warehouse) -> None:
    publish_range(warehouse, 3)
    assert make_plan(warehouse).nothing_to_do


def test_a_table_that_was_dropped_by_hand_is_made_again(warehouse: Warehouse) -> None:
    commit_load(warehouse, 1, "ada")
    publish_range(warehouse, 1)
    assert make_plan(warehouse).nothing_to_do
    with warehouse.client(warehouse.settings.database) as client:
        client.command("DROP TABLE people")
    plan = make_plan(warehouse)
    assert plan.full_refresh
    assert plan.reason == "full refresh, because of tables changed or dropped by hand: people"
