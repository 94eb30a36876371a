"""The code location as Dagster sees it, with the real dbt project.

The asset graph is kept as text in asset_graph.txt. `FOOTFALL_WRITE_ASSET_GRAPH=1 pytest` with this file writes it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import ROOT
from warehouse.connection import Warehouse

# In a process of its own: the definitions read the environment when they are imported.
DESCRIBE = """
import json
from orchestration.definitions import defs
from orchestration.model_assets import MANIFEST
from orchestration.warehouse_build import warehouse_build
from orchestration.translator import SUBJECTS
graph = defs.resolve_asset_graph()
job = defs.resolve_job_def("build_warehouse")
specs = {key.to_user_string(): spec for key, spec in warehouse_build.specs_by_key.items() if key.path != ["published"]}
print(json.dumps({
    "manifest": [node["name"] for node in MANIFEST["nodes"].values()
                 if node["resource_type"] in ("model", "seed", "snapshot")],
    "models": list(specs),
    "subjects": SUBJECTS,
    "groups": {key.to_user_string(): graph.get(key).group_name for key in graph.get_all_asset_keys()},
    "kinds": {key: sorted(spec.kinds - {"dbt", "clickhouse"}) for key, spec in specs.items()},
    "arrows": [(parent.to_user_string(), key.to_user_string())
               for key in graph.get_all_asset_keys() for parent in graph.get(key).parent_keys],
    "unowned": [key for key, spec in specs.items() if not spec.owners],
    "undescribed_marts": [key for key, spec in specs.items() if not spec.description],
    "raw": sorted(key.to_user_string() for key in graph.get_all_asset_keys() if key.path[0] == "raw"),
    "partitioned": sorted(k.to_user_string() for k in graph.get_all_asset_keys() if graph.get(k).is_partitioned),
    "job": [node.name for node in job.nodes],
    "checks": sorted(f"{key.asset_key.path[-1]}.{key.name}" for key in graph.asset_check_keys),
    "undescribed_checks": [spec.name for spec in warehouse_build.check_specs
                           if not (spec.description or "").endswith(".")],
    "schedules": sorted(schedule.name for schedule in defs.schedules),
    "sensors": [sensor.name for sensor in defs.sensors],
}))
"""


ASSET_GRAPH = Path(__file__).with_name("asset_graph.txt")


@pytest.fixture(scope="module")
def seen(shared_warehouse: Warehouse) -> dict[str, Any]:
    """What the code location holds, as plain data."""
    result = subprocess.run(
        [sys.executable, "-c", DESCRIBE],
        cwd=ROOT,
        env={**os.environ, "FOOTFALL_HOME": str(shared_warehouse.settings.home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    described: dict[str, Any] = json.loads(result.stdout)
    return described


def test_every_dbt_node_is_an_asset_of_the_job_and_everything_is_where_people_look_for_it(seen: dict[str, Any]) -> None:

    assert sorted(seen["models"]) == sorted(seen["manifest"])
    assert seen["job"] == ["build"]
    assert seen["undescribed_checks"] == []
    assert len(seen["checks"]) > 90
    assert "sessions.what_sessions_used_to_carry_they_still_carry" in seen["checks"]
    assert seen["unowned"] == []
    assert seen["groups"]["sessions"] == "sessions"
    assert seen["groups"]["users"] == "people"
    assert seen["kinds"]["users"] == ["table"]
    assert seen["kinds"]["events"] == ["view"]
    assert seen["kinds"]["changed_users"] == ["feed"]
    assert seen["kinds"]["int_events"] == ["state"]
    assert seen["kinds"]["channel_sources"] == ["seed"]
    assert set(seen["raw"]) >= {"raw/events", "raw/identity_mappings", "raw/loads", "raw/funnel_steps"}
    assert seen["partitioned"] == ["raw/events", "raw/identity_mappings"]
    assert seen["schedules"] == ["daily_cut", "daily_forgetting", "daily_landing", "hourly_build", "nightly_sync"]
    assert seen["sensors"] == ["landing_folder", "loads_of_the_command_line", "failed_runs"]


def test_no_part_of_the_build_starts_before_the_landing_days_of_the_same_backfill(seen: dict[str, Any]) -> None:
    behind = {"raw/events"}
    while more := {child for parent, child in seen["arrows"] if parent in behind} - behind:
        behind |= more
    assert {*seen["models"], "published"} - behind == set()


def test_the_graph_reads_from_left_to_right(seen: dict[str, Any]) -> None:
    place = {subject: number for number, subject in enumerate(seen["subjects"])}
    assert set(seen["groups"].values()) == set(place)
    back = [
        f"{parent} ({seen['groups'][parent]}) -> {child} ({seen['groups'][child]})"
        for parent, child in seen["arrows"]
        if place[seen["groups"][parent]] > place[seen["groups"][child]]
    ]
    assert back == []


def test_the_asset_graph_is_the_one_that_is_written_down(seen: dict[str, Any]) -> None:
    parents: dict[str, list[str]] = {key: [] for key in seen["groups"]}
    for parent, child in seen["arrows"]:
        parents[child].append(parent)
    by_place = sorted(parents, key=lambda key: (seen["subjects"].index(seen["groups"][key]), key))
    lines = [f"{seen['groups'][key]:<12}{key:<32}<- {' '.join(sorted(parents[key]))}".rstrip(" <-") for key in by_place]
    graph = "\n".join(lines) + "\n"
    if os.environ.get("FOOTFALL_WRITE_ASSET_GRAPH"):
        ASSET_GRAPH.write_text(graph, encoding="utf-8")
    assert graph == ASSET_GRAPH.read_text(encoding="utf-8")
