"""dbt's unit tests, one per rule with a decision in it, and what the project says about its models and columns."""

import csv
import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ingest import raw_tables
from orchestration.project import dbt_command, environment, project_dir
from tests.exactness.builds import artifacts_of
from warehouse import publishing, tracking_key
from warehouse.connection import Warehouse

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Project:
    """The dbt project, built on a warehouse without any data: every table is there, and none has a row."""

    warehouse: Warehouse
    target: Path

    def dbt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        settings = self.warehouse.settings
        variables = {
            **os.environ,
            **self.warehouse.environment(),
            **environment(settings),
            "DBT_TARGET_PATH": str(self.target),
            "DBT_LOG_PATH": str(self.target / "logs"),
        }
        folder = str(project_dir())
        return subprocess.run(
            [*dbt_command(), "--no-use-colors", *arguments, "--project-dir", folder, "--profiles-dir", folder],
            env=variables, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def artifact(self, name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.target / f"{name}.json").read_text())
        return content

    def models(self) -> dict[str, dict[str, Any]]:
        nodes = self.artifact("manifest")["nodes"].values()
        return {node["name"]: node for node in nodes if node["resource_type"] == "model"}

    def columns(self) -> dict[str, list[str]]:
        """The columns of every table and view that the build made, in order."""
        with self.warehouse.client() as client:
            rows = client.query(
                "SELECT table, groupArray(name) FROM (SELECT * FROM system.columns WHERE database = {db:String}"
                " ORDER BY table, position) GROUP BY table",
                parameters={"db": self.warehouse.settings.next_database},
            ).result_rows
        return dict(rows)


@pytest.fixture(scope="module")
def project(shared_warehouse: Warehouse) -> Project:
    raw_tables.create(shared_warehouse)
    tracking_key.store(shared_warehouse)
    publishing.prepare(shared_warehouse, full_refresh=True)
    empty = Project(shared_warehouse, artifacts_of(shared_warehouse) / "target")
    built = empty.dbt("build", "--exclude-resource-type", "unit_test", "--exclude-resource-type", "test")
    assert built.returncode == 0, built.stdout
    return empty


# What a table that is rebuilt still reads of the feed, with the reason why that is whole then.
READ_OF_THE_FEED = {
    "int_events": {"changed_duplicates"},  # rebuilt with the build range, so of all loads
    "identities": {"changed_identity_rows"},  # rebuilt with changed_identity_scope, so of all ids
    "retention": {"changed_retention_cells"},  # rebuilt with changed_retention_moves, so of all people
    "int_retention_definitions": {"changed_retention_definitions"},  # all definitions, in every build
    "int_retention_days": {"changed_retention_matchers", "changed_user_days"},  # all matchers; days of none of them
    "funnel_events": {"changed_funnel_entries"},  # of which nothing is used
}


def test_a_table_that_is_rebuilt_takes_no_rows_from_the_feed(project: Project) -> None:
    """A feed that is not rebuilt itself holds only what changed: see docs/exactness.md."""
    files = (project.target / "compiled").rglob("models/**/*.sql")
    compiled = {path.stem: re.sub("--.*", "", path.read_text()) for path in files if path.parent.suffix != ".yml"}
    read = {
        name: set(re.findall(r"_next`\.`(changed_\w+)`", code))
        for name, code in compiled.items()
        if not name.startswith("changed_")
    }
    assert len(read) > 30
    assert {name: feeds for name, feeds in read.items() if feeds} == READ_OF_THE_FEED


def test_every_rule_holds(project: Project) -> None:
    ran = project.dbt("test", "--select", "resource_type:unit_test")
    results = project.artifact("run_results")["results"]
    assert len(results) > 30, ran.stdout
    failed = {
        result["unique_id"].removeprefix("unit_test.footfall."): result["message"]
        for result in results
        if result["status"] != "pass"
    }
    assert not failed, "\n\n".join(f"{name}\n{message}" for name, message in failed.items())


def test_every_model_has_its_yaml_beside_it(project: Project) -> None:
    elsewhere = {
        name: node["patch_path"]
        for name, node in project.models().items()
        if node["patch_path"] != f"footfall://{Path(node['original_file_path']).with_suffix('.yml')}"
    }
    assert elsewhere == {}


def test_every_column_is_described(project: Project) -> None:
    columns = project.columns()
    models = project.models()
    assert models
    undescribed = {
        name: [column for column in columns[name] if not node["columns"].get(column, {}).get("description")]
        for name, node in models.items()
    }
    assert {name: missing for name, missing in undescribed.items() if missing} == {}


def test_no_described_column_is_missing(project: Project) -> None:
    columns = project.columns()
    missing = {name: sorted(set(node["columns"]) - set(columns[name])) for name, node in project.models().items()}
    assert {name: gone for name, gone in missing.items() if gone} == {}


def test_a_build_leaves_no_table_beside_its_models_and_seeds(project: Project) -> None:
    nodes = project.artifact("manifest")["nodes"].values()
    made = {node["alias"] for node in nodes if node["resource_type"] in {"model", "seed"}}
    assert project.columns().keys() - made == set()


def test_every_mart_that_is_a_table_has_a_contract(project: Project) -> None:
    free = [
        name
        for name, node in project.models().items()
        if node["path"].startswith("marts/")
        and node["config"]["materialized"] != "view"
        and not node["config"]["contract"]["enforced"]
    ]
    assert sorted(free) == []


def test_descriptions_are_comments_in_the_warehouse_and_are_not_written_again(project: Project) -> None:
    seen = {name: node for name, node in project.models().items() if not name.startswith(("stg_", "changed_"))}
    described = {(name, ""): node["description"].strip() for name, node in seen.items()} | {
        (name, column): said["description"].strip()
        for name, node in seen.items()
        for column, said in node["columns"].items()
    }
    with project.warehouse.client() as client:
        comments = client.query(
            "SELECT name, '', comment FROM system.tables WHERE database = {db:String} UNION ALL"
            " SELECT table, name, comment FROM system.columns WHERE database = {db:String}",
            parameters={"db": project.warehouse.settings.next_database},
        ).result_rows
        assert {(table, column): said for table, column, said in comments if table in seen} == described
        began = client.query("SELECT now64(6, 'UTC')").first_row[0]
        again = project.dbt("run", "--select", "users", "events")
        assert again.returncode == 0, again.stdout
        client.command("SYSTEM FLUSH LOGS")
        written = client.query(
            "SELECT query FROM system.query_log WHERE query_kind = 'Alter' AND type = 'QueryFinish'"
            " AND query ILIKE '%comment%' AND query_start_time_microseconds >= {began:DateTime64(6, 'UTC')}",
            parameters={"began": began},
        ).result_rows
    # a view is made anew, the table of people only gets rows
    assert [query for (query,) in written if "users" in query] == []


def test_every_seed_reaches_the_warehouse_as_it_is_written(project: Project) -> None:
    """A bare null, for one, does not: dbt takes it for an absent value."""
    lost = {}
    with project.warehouse.client(project.warehouse.settings.next_database) as client:
        for path in (project_dir() / "seeds").rglob("*.csv"):
            with path.open(newline="", encoding="utf-8") as file:
                columns, *written = csv.reader(file)
            texts = ", ".join(f"toString({column})" for column in columns)
            there = client.query(f"SELECT {texts} FROM {path.stem}").result_rows
            lost[path.stem] = {tuple(row) for row in written} - set(there)
    assert lost
    assert {seed: rows for seed, rows in lost.items() if rows} == {}


def test_definitions_of_what_never_occurred_are_a_warning(project: Project) -> None:
    rows = {
        "funnel_steps": [
            {"tenant_id": "t", "funnel_id": "f", "step_number": 1, "event": "seen"},
            {"tenant_id": "t", "funnel_id": "f", "step_number": 2, "event": "never"},
            {"tenant_id": "t", "funnel_id": "g", "step_number": 1, "event": "reached"},
        ],
        # nobody reached it, but it occurred
        "int_funnel_matches": [{"tenant_id": "t", "funnel_id": "f", "step_number": 1}],
        "funnel_conversions_daily": [{"tenant_id": "t", "funnel_id": "g", "step_number": 1, "users_count": 1}],
        "int_retention_definitions": [
            {"tenant_id": "t", "retention_id": "r", "target_matcher_id": 1, "return_matcher_id": 2},
            {"tenant_id": "t", "retention_id": "q", "target_matcher_id": 3, "return_matcher_id": 3},
        ],
        "int_retention_days": [{"tenant_id": "t", "matcher_id": 1}],
        "retention": [
            {"tenant_id": "t", "retention_id": "q", "users_count": 1},
            {"tenant_id": "t", "retention_id": "q", "users_count": 1, "period_number": 1, "retained_count": 1},
        ],
    }
    with project.warehouse.client(project.warehouse.settings.next_database) as client:
        for table, of_table in rows.items():
            for row in of_table:
                client.insert(table, [list(row.values())], column_names=list(row))
    ran = project.dbt(
        "test", "--select", "every_step_of_a_funnel_occurred", "both_sides_of_a_retention_definition_occurred"
    )
    assert ran.returncode == 0, ran.stdout
    found = {
        result["unique_id"].split(".")[2]: (result["status"], result["failures"])
        for result in project.artifact("run_results")["results"]
    }
    assert found == {
        "every_step_of_a_funnel_occurred": ("warn", 1),
        "both_sides_of_a_retention_definition_occurred": ("warn", 1),
    }
