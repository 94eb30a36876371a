"""The build log says what is published, whatever died between a swap and the log."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestration import build_log
from orchestration.plan import make_plan
from tests.cli.conftest import Footfall
from tests.orchestration.conftest import commit_load, make_candidate, publish_version, published_people
from warehouse import publishing
from warehouse.connection import Warehouse


def start(warehouse: Warehouse, build_id: str, minute: int = 0, project_hash: str = "p") -> None:
    """The log of a build that begins, to_seq 1."""
    build_log.start(
        warehouse,
        build_log.Build(
            build_id=build_id,
            from_seq=0,
            to_seq=1,
            started_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute),
            published_at=None,
            full_refresh=True,
            status="running",
            project_hash=project_hash,
        ),
    )


def statuses(warehouse: Warehouse) -> dict[str, str]:
    return {build.build_id: build.status for build in build_log.builds(warehouse)}


def two_published(warehouse: Warehouse) -> None:
    """Ada by the build one, Ada and Ben by the build two; both are in the log."""
    commit_load(warehouse, 1, "ada")
    for minute, (build_id, people) in enumerate({"one": ["ada"], "two": ["ada", "ben"]}.items()):
        start(warehouse, build_id, minute)
        publish_version(warehouse, 1, build_id, {"people": {"SQL": build_id}}, *people)
        build_log.published(warehouse, build_id)


def test_a_build_that_died_before_publishing_is_interrupted(warehouse: Warehouse) -> None:
    commit_load(warehouse, 1, "ada")
    start(warehouse, "one")
    make_candidate(warehouse, 1, "ada")
    build_log.settle(warehouse)
    (build,) = build_log.builds(warehouse)
    assert (build.status, build.failed_checks) == ("failed", ("interrupted",))


def test_what_is_written_last_stands_although_the_clock_was_set_back(warehouse: Warehouse) -> None:
    commit_load(warehouse, 1, "ada")
    start(warehouse, "one")
    with warehouse.client(warehouse.settings.database) as client:  # as written by a clock that is far ahead
        client.command("INSERT INTO build_log SELECT * REPLACE (toUInt64(4102444800000000) AS version) FROM build_log")
    build_log.settle(warehouse)
    (build,) = build_log.builds(warehouse)
    assert (build.status, build.failed_checks) == ("failed", ("interrupted",))


def test_a_build_that_died_between_its_publication_and_the_log_is_published(
    warehouse: Warehouse, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTFALL_DBT_PROJECT_DIR", str(project))
    commit_load(warehouse, 1, "ada")
    start(warehouse, "one")
    publish_version(warehouse, 1, "one", make_plan(warehouse).parts, "ada")
    build_log.settle(warehouse)
    (build,) = build_log.builds(warehouse)
    assert (build.status, build.published_at is not None) == ("published", True)
    assert make_plan(warehouse).nothing_to_do
    model = project / "models" / "people.sql"
    model.write_text(model.read_text().replace("'page'", "'view'"))
    assert make_plan(warehouse).rebuild == {"people": "SQL"}


def test_a_published_build_that_the_log_calls_failed_is_published_after_all(warehouse: Warehouse) -> None:
    commit_load(warehouse, 1, "ada")
    start(warehouse, "one")
    publish_version(warehouse, 1, "one", {"people": {"SQL": "p"}}, "ada")
    build_log.failed(warehouse, "one", ("publish",))
    build_log.settle(warehouse)
    (build,) = build_log.builds(warehouse)
    assert (build.status, build.failed_checks) == ("published", ())


def test_of_several_builds_that_seem_to_run_only_the_published_one_is_published(warehouse: Warehouse) -> None:
    commit_load(warehouse, 1, "ada")
    start(warehouse, "one")
    start(warehouse, "two", 1)
    publish_version(warehouse, 1, "two", {"people": {"SQL": "p"}}, "ada")
    start(warehouse, "three", 2)
    build_log.settle(warehouse, full_refresh=True)
    assert statuses(warehouse) == {"one": "failed", "two": "published", "three": "failed"}


def test_a_rollback_that_died_before_the_log_takes_back_one_build_and_no_other(
    footfall: Footfall, warehouse: Warehouse
) -> None:
    two_published(warehouse)
    publishing.rollback(warehouse)  # and is killed
    again = footfall("rollback")
    assert again.returncode == 1
    assert "already been put back" in again.stderr
    assert published_people(warehouse) == ["ada"]
    assert statuses(warehouse) == {"one": "published", "two": "rolled_back"}


def test_a_rollback_that_is_refused_changes_nothing_in_the_log(footfall: Footfall, warehouse: Warehouse) -> None:
    two_published(warehouse)
    publishing.prepare(warehouse)
    result = footfall("rollback")
    assert result.returncode == 1
    assert "no previous version" in result.stderr
    assert statuses(warehouse) == {"one": "published", "two": "published"}


def test_the_log_shows_each_build_once_without_final(warehouse: Warehouse) -> None:
    commit_load(warehouse, 1, "ada")
    start(warehouse, "one")
    build_log.failed(warehouse, "one", ("a check",))
    with warehouse.client(warehouse.settings.database) as client:
        assert client.query("SELECT status, failed_checks FROM build_log").result_rows == [("failed", ["a check"])]
