"""dbt's unit tests, one per rule with a decision in it, and what the project says about its models and columns."""

import csv
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ingest import raw_tables
from orchestration.project import dbt_command, environment, project_dir
from tests.exactness.builds import artifacts_of
from tests.models.macros import macro
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
            **environment(settings, project_dir(), self.warehouse.environment()),
            "DBT_TARGET_PATH": str(self.target),
            "DBT_LOG_PATH": str(self.target / "logs"),
        }
        return subprocess.run(
            [*dbt_command(), "--no-use-colors", *arguments],
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
    "int_accounts": {"changed_accounts"},
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


def test_the_words_that_mean_nobody_survive_their_way_into_the_warehouse(project: Project) -> None:
    """dbt reads a bare null as an empty cell, and the warehouse reads \\N as NULL: then strangers are one person."""
    seed = project_dir() / "seeds" / "identity" / "nobody_ids.csv"
    with seed.open(newline="") as file:
        written = [row["distinct_id"] for row in csv.DictReader(file)]
    with project.warehouse.client(project.warehouse.settings.next_database) as client:
        kept = [row[0] for row in client.query("SELECT distinct_id FROM nobody_ids").result_rows]
        assert sorted(kept) == sorted(written)
        # what a database, a language or a switched-off phone says of nobody, in any case and quoted in any way
        words = [
            "null", "NULL", "\\N", "None", "NaN", "nil", "undefined", "(null)", "<nil>", "false", "0", "-1",
            "[object Object]", "00000000-0000-0000-0000-000000000000", "0" * 32, "00:00:00:00:00:00", "", " ",
        ]  # fmt: skip
        spelt = [form for word in words for form in (word, word.upper(), f'"{word}"', f"'{word}'", f" {word} ")]
        is_nobody = macro("is_nobody.sql", "is_nobody", "id")
        query = f"SELECT id, {is_nobody} FROM (SELECT arrayJoin({{ids:Array(String)}}) AS id)"
        assert [
            word
            for word, means_nobody in client.query(query, parameters={"ids": spelt}).result_rows
            if not means_nobody
        ] == []
        somebody = ["nullah", "anon-7", "00000000-0000-0000-0000-000000000001", "N", "n\\", "O'Null"]
        assert [
            word for word, means_nobody in client.query(query, parameters={"ids": somebody}).result_rows if means_nobody
        ] == []


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
    # a view is made again, the table of people only gets rows
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
            # one for all tenants, of which nothing occurred in this one
            {"tenant_id": "t", "funnel_id": "visitor_to_customer", "step_number": 1},
        ],
        # nobody reached it, but it occurred
        "int_funnel_matches": [{"tenant_id": "t", "funnel_id": "f", "step_number": 1}],
        "funnel_conversions_daily": [{"tenant_id": "t", "funnel_id": "g", "step_number": 1, "users_count": 1}],
        "int_retention_definitions": [
            {
                "tenant_id": "t",
                "retention_id": "r",
                "target_event": "seen",
                "target_matcher_id": 1,
                "return_event": "never",
                "return_matcher_id": 2,
            },
            {
                "tenant_id": "t",
                "retention_id": "q",
                "target_event": "reached",
                "target_matcher_id": 3,
                "return_event": "reached",
                "return_matcher_id": 3,
            },
            # any event at all
            {"tenant_id": "t", "retention_id": "a", "target_matcher_id": 4, "return_matcher_id": 4},
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


# What the tests below read of each table, after two builds that went well: the second wrote the rows of 5.
WENT_WELL = [
    "TRUNCATE TABLE int_build_range",
    "INSERT INTO int_build_range (from_seq, to_seq) VALUES (4, 5)",
    "INSERT INTO sessions (tenant_id, user_id, session_id, session_key, session_start, session_end, session_date,"
    " is_first_session, revenue, _build_seq) VALUES"
    " ('t', 'u', 'old', 'k', '2026-01-01 10:00:00', '2026-01-01 11:00:00', '2026-01-01', 1, 1, 4),"
    " ('t', 'u', 'new', 'k', '2026-01-01 12:00:00', '2026-01-01 13:00:00', '2026-01-01', 0, 2, 5),"
    " ('t', 'u', 'far', 'k', '2026-02-01 12:00:00', '2026-02-01 13:00:00', '2026-02-01', 0, 2, 4)",
    "INSERT INTO session_stats_daily (tenant_id, date, sessions_count, users_count, new_users_count, revenue,"
    " _build_seq) VALUES ('t', '2026-01-01', 2, 1, 1, 3, 5), ('t', '2026-02-01', 1, 1, 0, 2, 4)",
    "INSERT INTO users (tenant_id, user_id, events_count, pageviews_count, sessions_count, _build_seq) VALUES"
    " ('t', 'u', 7, 3, 3, 5)",
    "INSERT INTO user_attribution (tenant_id, user_id, sessions_count, _build_seq) VALUES ('t', 'u', 3, 5)",
    "INSERT INTO attribution_credit (tenant_id, user_id, conversion_at, conversion_event_id, model, credit, _build_seq)"
    " SELECT 't', 'u', '2026-01-01 12:30:00', 'e', 'model ' || number, 1, 5 FROM numbers(5)",
    "INSERT INTO identity_conflicts (tenant_id, anonymous_id, rejected_user_id, kept_user_id, _build_seq) VALUES"
    " ('t', 'a', 'v', 'u', 5)",
    "INSERT INTO funnel_steps (tenant_id, funnel_id, step_number, mode, _build_seq) VALUES"
    " ('t', 'f', 1, 'ordered', 4), ('t', 'f', 2, 'ordered', 4), ('t', 'any', 1, 'unordered', 4)",
    "INSERT INTO funnel_conversions_daily (tenant_id, funnel_id, entry_date, step_number, users_count,"
    " conversion_from_first, _build_seq) VALUES ('t', 'f', '2026-01-01', 1, 5, 1, 5),"
    " ('t', 'f', '2026-01-01', 2, 3, 0.6, 5)",
]
# One mistake for each test, in one row.
MISTAKES = {
    "a_day_counts_its_sessions": (
        "INSERT INTO sessions (tenant_id, user_id, session_id, session_key, session_start, session_end, session_date,"
        " _build_seq) VALUES ('t', 'u', 'x', 'x', '2026-02-01 09:00:00', '2026-02-01 09:00:00', '2026-02-01', 5)"
    ),
    "a_day_makes_sense": "ALTER TABLE session_stats_daily UPDATE bounce_rate = 2 WHERE date = '2026-01-01'",
    "sessions_of_one_key_do_not_overlap": (
        "ALTER TABLE sessions UPDATE session_end = '2026-01-01 12:30:00' WHERE session_id = 'old'"
    ),
    "everybody_has_an_attribution": "TRUNCATE TABLE user_attribution",
    "a_person_makes_sense": "ALTER TABLE users UPDATE pageviews_count = 8 WHERE 1",
    "the_credits_of_a_conversion_add_up": (
        "INSERT INTO attribution_credit (tenant_id, user_id, conversion_at, conversion_event_id, model, session_id,"
        " credit, _build_seq) VALUES ('t', 'u', '2026-01-01 12:30:00', 'e', 'model 1', 'gone', 0.5, 4)"
    ),
    "a_credit_is_a_share": (
        "ALTER TABLE attribution_credit UPDATE credit = 1.5 WHERE model = 'model 2' AND _build_seq = 5"
    ),
    "a_conflict_is_between_two_people": "ALTER TABLE identity_conflicts UPDATE kept_user_id = 'v' WHERE 1",
    "a_funnel_only_narrows": "ALTER TABLE funnel_conversions_daily UPDATE users_count = 9 WHERE step_number = 2",
    "a_conversion_is_a_share": (
        "ALTER TABLE funnel_conversions_daily UPDATE conversion_from_first = 1.8 WHERE step_number = 2"
    ),
}


def test_each_data_test_finds_the_row_that_is_wrong(project: Project) -> None:
    def found() -> dict[str, int]:
        ran = project.dbt("test", "--select", *MISTAKES)
        results = project.artifact("run_results")["results"]
        assert len(results) == len(MISTAKES), ran.stdout
        assert not [result["message"] for result in results if result["status"] == "error"]
        return {result["unique_id"].split(".")[2]: result["failures"] for result in results}

    with project.warehouse.client(project.warehouse.settings.next_database) as client:
        for statement in WENT_WELL:
            client.command(statement)
        assert found() == dict.fromkeys(MISTAKES, 0)
        for statement in MISTAKES.values():
            client.command(statement, settings={"mutations_sync": 1})
    assert found() == dict.fromkeys(MISTAKES, 1)
