"""A build draws its tables once they are published."""

import base64
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.cli.conftest import Footfall
from tests.orchestration.conftest import commit_load, published_people
from warehouse.connection import Warehouse


def test_a_build_attaches_a_picture_and_one_that_cannot_be_drawn_is_a_warning(
    footfall: Footfall, warehouse: Warehouse, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(project.parent / "dagster"))
    identities = "select tenant_id, user_id as distinct_id, user_id from {{ ref('people') }}"
    (project / "models" / "identities.sql").write_text(identities)
    commit_load(warehouse, 1, "ada")
    result = footfall("build")
    assert result.returncode == 0, result.stderr
    assert published_people(warehouse) == ["ada"]
    metadata, log = recorded("identities")
    assert "picture" not in metadata
    assert [line.partition(": ")[0] for line in log if "picture" in line] == [
        "The picture of identities could not be drawn"
    ]

    # The picture is one of `users`, a table that this project does not have.
    with warehouse.client(warehouse.settings.database) as client:
        client.command(
            "CREATE TABLE users (tenant_id String, user_id String, is_identified UInt8, distinct_ids_count UInt64,"
            " _build_seq UInt64) ENGINE = MergeTree ORDER BY tenant_id AS SELECT 'north', 'ada', 1, 2, 2"
        )
    commit_load(warehouse, 2, "ben")
    assert footfall("build").returncode == 0
    metadata, log = recorded("identities")
    assert not [line for line in log if "picture" in line]
    start, end = "![identities](data:image/png;base64,", ")"
    picture = metadata["picture"].value
    assert picture.startswith(start)
    assert base64.b64decode(picture.removeprefix(start).removesuffix(end)).startswith(b"\x89PNG")
    assert [record.data for record in metadata["summary"].records] == [
        {
            "tenant": "north",
            "people": 1,
            "identified": 1,
            "ids": 2,
            "several ids": 1,
            "most ids": 2,
        }
    ]


def recorded(table: str) -> tuple[dict[str, Any], list[str]]:
    """The metadata of the table's latest materialization, and the log of the run that wrote it."""
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(table))
        assert event is not None and event.asset_materialization is not None
        log = [entry.user_message for entry in instance.all_logs(event.run_id)]
        return dict(event.asset_materialization.metadata), log
