"""A tiny dbt project, and raw rows put in place without the loader."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest import raw_tables
from orchestration import built_models
from orchestration.built_models import Parts
from tests.cli.conftest import ROOT, Footfall, environment_of, footfall_of
from tests.orchestration.listener import Listener, listening
from warehouse import publishing
from warehouse.connection import Warehouse

TINY = Path(__file__).parent / "project"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the tiny project that the test may change."""
    return tiny_project(tmp_path)


def tiny_project(folder: Path) -> Path:
    """A copy of the tiny project in that folder."""
    return Path(shutil.copytree(TINY, folder / "project"))


def variables_of(project: Path) -> dict[str, str]:
    """What makes a command work on that copy of the tiny project, with a Dagster home beside it."""
    return {"FOOTFALL_DBT_PROJECT_DIR": str(project), "DAGSTER_HOME": str(project.parent / "dagster")}


@pytest.fixture
def footfall(warehouse: Warehouse, project: Path) -> Footfall:
    """The command, on the tiny project and with a Dagster home of this test's own."""
    return footfall_of(warehouse, **variables_of(project))


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A web server that keeps what is posted to it."""
    with listening() as listener:
        yield listener


def start(warehouse: Warehouse, project: Path, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
    """A footfall command on the tiny project, in the background, with these variables besides."""
    return subprocess.Popen(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=ROOT, env=environment_of(warehouse, **variables_of(project), **variables),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def commit_load(warehouse: Warehouse, seq: int, *people: str) -> None:
    """A committed load with one page view of each of these people."""
    raw_tables.create(warehouse)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with warehouse.client(warehouse.settings.raw_database) as client:
        client.insert(
            "events",
            [[f"load-{seq}", "north", f"{seq}-{person}", now, person, "page"] for person in people],
            column_names=["load_id", "tenant_id", "event_id", "timestamp", "distinct_id", "event"],
        )
        client.insert(
            "loads",
            [[f"load-{seq}", seq, "events", f"{seq}.json", "committed", now, seq]],
            column_names=["load_id", "load_seq", "table", "path", "status", "committed_at", "version"],
        )


def make_candidate(warehouse: Warehouse, to_seq: int, *people: str) -> None:
    """What dbt makes of the tiny project, without dbt."""
    publishing.prepare(warehouse, full_refresh=True)
    with warehouse.client(warehouse.settings.next_database) as client:
        client.command(
            "CREATE TABLE int_build_range ENGINE = MergeTree ORDER BY () AS"
            " SELECT toUInt64(0) AS from_seq, {seq:UInt64} AS to_seq",
            parameters={"seq": to_seq},
        )
        client.command(
            "CREATE TABLE people ENGINE = MergeTree ORDER BY () AS SELECT arrayJoin({people:Array(String)}) AS user_id",
            parameters={"people": list(people)},
        )


def publish_version(warehouse: Warehouse, to_seq: int, build_id: str, parts: Parts, *people: str) -> None:
    """Publish tables of these people as the work of that build, of which the build log hears nothing.

    `parts` is what the project was made of; empty for tables of which nobody knows.
    """
    make_candidate(warehouse, to_seq, *people)
    if parts:
        built_models.store(warehouse, parts)
    publishing.publish(warehouse, publishing.Version(build_id, built_models.project_hash(parts) if parts else ""))


def published_people(warehouse: Warehouse) -> list[str]:
    with warehouse.client(warehouse.settings.database) as client:
        return [row[0] for row in client.query("SELECT user_id FROM people ORDER BY user_id").result_rows]


def put_landing(warehouse: Warehouse, day: str, name: str, content: bytes) -> Path:
    """Put a file of events into the landing folder of a day."""
    path = warehouse.settings.home / "landing" / "events" / day / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
