"""What a build would do."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.plan import make_plan
from tests.orchestration.conftest import commit_load, publish_version
from warehouse import publishing
from warehouse.connection import Warehouse


@pytest.fixture(autouse=True)
def tiny_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTFALL_DBT_PROJECT_DIR", str(project))


def publish_range(warehouse: Warehouse, to_seq: int) -> None:
    """Publish what a build up to this seq by this very project would."""
    publish_version(warehouse, to_seq, "one", make_plan(warehouse).parts)


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


def test_what_changes_no_row_rebuilds_nothing(warehouse: Warehouse, project: Path) -> None:
    commit_load(warehouse, 1, "ada")
    publish_range(warehouse, 1)
    described = project / "models" / "people.yml"
    described.write_text(
        """
models:
  - columns:
      - data_tests:
          - accepted_values:
              arguments:
                values: [ada, eve]
        name: user_id
    description: Everybody who was ever there.
    name: people
version: 2
"""
    )
    model = project / "models" / "people.sql"
    written_otherwise = model.read_text().replace("    ", "  ").replace("count()", "count( ) /* of rows */")
    (project / "models" / "who").mkdir()
    (project / "models" / "who" / "people.sql").write_text(f"-- it's them\n{{# all #}}{written_otherwise}\n")
    model.unlink()
    (project / "models" / ".people.sql.swp").write_bytes(b"left by an editor")
    (project / ".DS_Store").write_bytes(b"left by a file manager")
    plan = make_plan(warehouse)
    assert plan.nothing_to_do, plan


def test_what_changed_is_rebuilt_with_what_follows_from_it_and_nothing_else(
    warehouse: Warehouse, project: Path
) -> None:
    commit_load(warehouse, 1, "ada")
    models = {
        "of_a_macro": "select {{ outer() }} as a from {{ ref('kept') }}",
        "of_a_var": 'select {{ var("days") }} as a',
        "of_a_seed": "select name from {{ ref('colours') }}",
        "of_the_key": "select count() as a from {{ source('raw', 'tracking_key') }}",
        "follows": "select a from {{ ref('of_a_var') }}",
        "kept": "select {{ other_macro() }} as a, '{{ var('weeks') }}' as b",
        "goes": "select 1 as a",
    }
    for name, code in models.items():
        (project / "models" / f"{name}.sql").write_text(code)
    raw = project / "models" / "raw.yml"
    raw.write_text(f"{raw.read_text()}      - name: tracking_key\n")
    (project / "seeds").mkdir()
    (project / "seeds" / "colours.csv").write_text("name\nred\n")
    (project / "macros").mkdir()
    macros = "{% macro outer() %}{{ inner() }}{% endmacro %}{% macro other_macro() %}7{% endmacro %}"
    (project / "macros" / "all.sql").write_text(macros + "{% macro inner() %}1{% endmacro %}")
    settings = project / "dbt_project.yml"
    without_vars = settings.read_text()
    settings.write_text(f"{without_vars}vars: {{days: 1, weeks: 1, unused: 1}}\n")
    publish_range(warehouse, 1)

    assert make_plan(warehouse).nothing_to_do
    settings.write_text(f"{without_vars}vars: {{unused: 2, weeks: 1, days: 2}}\n")
    (project / "macros" / "all.sql").write_text(macros + "{% macro inner() %}2{% endmacro %}")
    (project / "seeds" / "colours.csv").write_text("name\nred\nblue\n")
    (project / "models" / "goes.sql").unlink()
    (project / "models" / "comes.sql").write_text("{{ config(order_by='a') }} select 1 as a")
    plan = make_plan(with_another_secret(warehouse))
    assert not plan.full_refresh
    assert plan.removed == ("goes",)
    assert plan.rebuild == {
        "of_a_macro": "macro inner",
        "of_a_var": "var days",
        "colours": "data",
        "of_the_key": "the tracking key",
        "comes": "new",
        "of_a_seed": "follows from colours",
        "follows": "follows from of_a_var",
    }


def test_a_setting_of_the_profile_that_changes_results_rebuilds_everything(warehouse: Warehouse, project: Path) -> None:
    commit_load(warehouse, 1, "ada")
    publish_range(warehouse, 1)
    profile = project / "profiles.yml"
    profile.write_text(
        profile.read_text().replace("threads: 4", "threads: 2").replace("mutations_sync: 2", "log_queries: 0")
    )
    assert make_plan(warehouse).nothing_to_do
    profile.write_text(profile.read_text().replace("join_use_nulls: 0", "join_use_nulls: 1"))
    plan = make_plan(warehouse)
    assert plan.full_refresh
    assert "the setting join_use_nulls" in plan.reason


def test_after_a_rollback_that_version_counts(warehouse: Warehouse, project: Path) -> None:
    commit_load(warehouse, 1, "ada")
    publish_range(warehouse, 1)
    model = project / "models" / "people.sql"
    model.write_text(model.read_text().replace("'page'", "'view'"))
    publish_version(warehouse, 1, "two", make_plan(warehouse).parts)
    assert make_plan(warehouse).nothing_to_do
    publishing.rollback(warehouse)
    assert make_plan(warehouse).rebuild == {"people": "SQL"}


def with_another_secret(warehouse: Warehouse) -> Warehouse:
    settings = type(warehouse.settings).model_validate(
        {**warehouse.settings.model_dump(), "secret": "another secret of more than thirty-two characters"}
    )
    return replace(warehouse, settings=settings)


def test_tables_of_an_unknown_build_are_a_full_refresh(warehouse: Warehouse) -> None:
    commit_load(warehouse, 1, "ada")
    publish_version(warehouse, 1, "", {})
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
    assert plan.rebuild == {"people": "dropped or changed by hand"}
    assert plan.reason == "1 model to rebuild: people (dropped or changed by hand)"
