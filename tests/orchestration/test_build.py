"""`footfall build`: the job build_warehouse from the ledger to the published tables."""

from pathlib import Path

from orchestration import build_log
from tests.cli.conftest import Footfall
from tests.orchestration.conftest import commit_load, published_people
from warehouse.connection import Warehouse


def test_a_build_publishes_once_and_can_be_rolled_back(footfall: Footfall, warehouse: Warehouse, project: Path) -> None:
    commit_load(warehouse, 1, "ada")
    first = footfall("build")
    assert first.returncode == 0, first.stderr
    assert "first build, 1 new load" in first.stderr
    assert published_people(warehouse) == ["ada"]

    again = footfall("build")
    assert again.returncode == 0
    assert "Nothing to build" in again.stdout
    assert len(build_log.builds(warehouse)) == 1

    commit_load(warehouse, 2, "ben")
    changed = project / "models" / "users.sql"
    changed.write_text(changed.read_text() + "\n-- another thought")
    second = footfall("build")
    assert second.returncode == 0, second.stderr
    assert "full refresh, because the dbt project or the tracking key changed" in second.stderr
    assert published_people(warehouse) == ["ada", "ben"]

    assert footfall("rollback").returncode == 0
    assert published_people(warehouse) == ["ada"]
    latest, earliest = build_log.builds(warehouse)
    assert (latest.status, latest.full_refresh, latest.to_seq) == ("rolled_back", True, 2)
    assert (earliest.status, earliest.from_seq, earliest.to_seq) == ("published", 0, 1)
    assert earliest.published_at is not None
    assert "Waiting        full refresh" in footfall("status").stdout


def test_a_failed_dbt_test_publishes_nothing_and_is_named(footfall: Footfall, warehouse: Warehouse) -> None:
    commit_load(warehouse, 1, "ada", "mallory")
    result = footfall("build")
    assert result.returncode == 1
    assert "nothing was published: accepted_values_users" in result.stderr
    assert "Traceback" not in result.stderr
    (build,) = build_log.builds(warehouse)
    assert build.status == "failed"
    assert "accepted_values_users" in build.failed_checks[0]
    assert not build_log.exists(warehouse, warehouse.settings.database, "users")
    assert build_log.exists(warehouse, warehouse.settings.next_database, "users")
    assert "accepted_values_users" in footfall("status").stdout


def test_a_failed_expectation_publishes_nothing_and_is_named(
    footfall: Footfall, warehouse: Warehouse, project: Path
) -> None:
    commit_load(warehouse, 1, "ada")
    users = project / "models" / "users.sql"
    users.write_text(users.read_text().replace("countIf(event = 'page')", "toUInt64(7)"))
    result = footfall("build")
    assert result.returncode == 1
    assert "nothing was published: users: page views are events: not so" in result.stderr
    (build,) = build_log.builds(warehouse)
    assert build.status == "failed"
    assert not build_log.exists(warehouse, warehouse.settings.database, "users")


def test_a_model_that_does_not_run_is_named_with_the_servers_words(
    footfall: Footfall, warehouse: Warehouse, project: Path
) -> None:
    commit_load(warehouse, 1, "ada")
    (project / "models" / "users.sql").write_text("select nobody from {{ source('raw', 'loads') }}")
    result = footfall("build")
    assert result.returncode == 1
    assert "users: Code: 47. DB::Exception: Unknown expression identifier `nobody`" in result.stderr


def test_a_project_that_does_not_parse_says_so(footfall: Footfall, warehouse: Warehouse, project: Path) -> None:
    commit_load(warehouse, 1, "ada")
    (project / "models" / "users.sql").write_text("select {{ ref('nothing') }}")
    result = footfall("build")
    assert result.returncode == 1
    assert "does not parse" in result.stderr
    assert "'nothing'" in result.stderr
