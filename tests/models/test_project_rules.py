"""What holds of the dbt project as a whole, by its manifest: the rules of dbt's project evaluator that apply."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from orchestration.project import manifest, project_dir
from orchestration.translator import SUBJECTS
from tests.cli.conftest import ROOT
from warehouse.connection import Warehouse

# Each exception with its reason.
READ_RAW_OUTSIDE_STAGING = {
    "int_build_range": "staging says how a load stands in this build, so the build's range comes before staging",
    "users": "the key of the tracking ids is read where it is used, and never copied out of raw",
}
MARTS_THAT_READ_STAGING = {
    "funnel_steps": "a definition is shown as staging reads it: nothing lies between",
    "retention_definitions": "a definition is shown as staging reads it: nothing lies between",
    "session_stats_daily": "figures of days whose events are cut are shown as they were: nothing lies between",
    "events_hourly": "as session_stats_daily",
    "mcp_accounts": "an email is read where it is shown, and lies in no table between",
    "tenants": "a tenant is shown as its source has it: nothing lies between",
    "errors_hourly": "a log is counted as it was read: nothing lies between",
    "security_daily": "as errors_hourly",
    "mcp_servers": "a server is shown as it was read: nothing lies between",
}
STAGING_THAT_READS_MORE_THAN_RAW = {
    "stg_loads": "how a load stands depends on the range of this build",
    "stg_funnel_steps": "a funnel for all tenants is one per tenant, and the tenants are known from their events",
}
KEYS_TESTED_OTHERWISE = {
    "int_events": "the test an_event_stands_once looks for the same at the cost of the change",
    "events": "a view of int_events, a row for a row",
    "mcp_tool_days": "a view that groups by its key",
    "mcp_tools": "a view that groups by its key",
    "mcp_billing_months": "a view that groups by its key",
    "mcp_billing_server_months": "a view that groups by its key",
    "operations_tools": "a view that groups by its key",
    "operations_billing_months": "a view that groups by its key",
    "mcp_server_stats": "a view, a row for a row of mcp_servers",
    "mcp_organization_stats": "a view of distinct tenants",
    "mcp_user_journeys": "a view of distinct people",
    "mcp_connections": "a view of int_mcp_connections, a row for a row",
    "mcp_calls": "a view of events, a row for a row",
    "projects": "a view of int_project_rows, a row for a row",
    "project_members": "a view of int_project_rows, a row for a row",
    "api_keys": "a view of int_project_rows, a row for a row",
    "client_configs": "a view of int_project_rows, a row for a row",
    "saved_queries": "a view of int_project_rows, a row for a row",
    "dashboards": "a view of int_project_rows, a row for a row",
    "visualizations": "a view of int_project_rows, a row for a row",
    "mcp_server_engagement": "a view that groups by its key",
    "engagement_daily": "a view of dates that are counted up",
    "user_engagement": "a view that groups by its key",
}
# Feeds are keys of one build, read with `in`: a key that stands twice changes nothing. Staging models are views of raw
# rows or definitions: the tables made of them are tested.
UNTESTED_KEYS = ("changed_", "stg_")
# dbt makes such a name of a test's type, model and arguments when nobody names it.
GENERATED_NAME = re.compile(r"^(unique_key|belongs_to|is_not_empty|is_zero_or_one|accepted_values|not_null|unique)_")


@pytest.fixture(scope="module")
def parsed(server: Warehouse) -> dict[str, Any]:
    """The manifest."""
    content: dict[str, Any] = json.loads(manifest(server.settings, project_dir()).read_text())
    return content


@pytest.fixture(scope="module")
def nodes(parsed: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All nodes of the manifest, by unique id."""
    found: dict[str, dict[str, Any]] = parsed["nodes"]
    return found


@pytest.fixture(scope="module")
def models(nodes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The models by name."""
    return {node["name"]: node for node in nodes.values() if node["resource_type"] == "model"}


def layer(node: dict[str, Any]) -> str:
    """staging, intermediate or marts."""
    return Path(node["path"]).parts[0]


def readers(models: dict[str, dict[str, Any]], of: str, in_layers: set[str]) -> set[str]:
    """Models in these layers that read a model of the layer `of`, or with `of='raw'` a source."""
    found = set()
    for name, node in models.items():
        for unique_id in node["depends_on"]["nodes"]:
            kind, _, read = unique_id.split(".", 2)
            read_layer = "raw" if kind == "source" else layer(models[read]) if kind == "model" else ""
            if read_layer == of and layer(node) in in_layers:
                found.add(name)
    return found


def test_only_staging_reads_raw(models: dict[str, dict[str, Any]]) -> None:
    assert readers(models, "raw", {"intermediate", "marts"}) == set(READ_RAW_OUTSIDE_STAGING)


def test_marts_do_not_read_staging(models: dict[str, dict[str, Any]]) -> None:
    assert readers(models, "staging", {"marts"}) == set(MARTS_THAT_READ_STAGING)


def test_staging_reads_raw_seeds_and_staging_alone(models: dict[str, dict[str, Any]]) -> None:
    found = readers(models, "intermediate", {"staging"}) | readers(models, "marts", {"staging"})
    assert found == set(STAGING_THAT_READS_MORE_THAN_RAW)


def test_every_model_lies_in_the_folder_of_its_layer_and_subject(models: dict[str, dict[str, Any]]) -> None:
    prefixes = {"staging": ("stg_",), "intermediate": ("changed_", "int_")}
    lost = [
        node["path"]
        for name, node in models.items()
        if Path(node["path"]).parts[1:] != (Path(node["path"]).parts[1], f"{name}.sql")
        or Path(node["path"]).parts[1] not in SUBJECTS
        or (layer(node) in prefixes) != name.startswith(("stg_", "changed_", "int_"))
        or not name.startswith(prefixes.get(layer(node), ""))
    ]
    assert lost == []


def test_every_model_names_its_grain_and_owner_and_describes_itself(models: dict[str, dict[str, Any]]) -> None:
    lacking = {
        name: missing
        for name, node in models.items()
        if (
            missing := [
                what
                for what, said in (
                    ("description", node["description"]),
                    ("meta.owner", node["config"]["meta"].get("owner")),
                    ("meta.grain", node["config"]["meta"].get("grain")),
                )
                if not said
            ]
        )
    }
    assert lacking == {}


def test_a_grain_is_made_of_described_columns(models: dict[str, dict[str, Any]]) -> None:
    unknown = {
        name: sorted(set(node["config"]["meta"]["grain"]) - set(node["columns"])) for name, node in models.items()
    }
    assert {name: columns for name, columns in unknown.items() if columns} == {}


def test_the_key_that_is_tested_is_the_grain(
    nodes: dict[str, dict[str, Any]], models: dict[str, dict[str, Any]]
) -> None:
    tested = {
        node["attached_node"].split(".")[-1]: node["test_metadata"]["kwargs"]["columns"]
        for node in nodes.values()
        if (node.get("test_metadata") or {}).get("name") == "unique_key"
    }
    grains = {name: node["config"]["meta"]["grain"] for name, node in models.items()}
    assert {name: grains[name] for name in tested} == tested
    untested = {name for name in set(models) - set(tested) if not name.startswith(UNTESTED_KEYS)}
    assert untested == set(KEYS_TESTED_OTHERWISE)


def test_every_feed_and_every_state_is_read_by_a_model(models: dict[str, dict[str, Any]]) -> None:
    read = {unique_id.split(".")[-1] for node in models.values() for unique_id in node["depends_on"]["nodes"]}
    assert {name for name, node in models.items() if layer(node) != "marts"} - read == set()


def test_no_model_names_a_table_but_by_ref_or_source(models: dict[str, dict[str, Any]]) -> None:
    named = {}
    for name, node in models.items():
        sql = re.sub(r"\{[{%#].*?[}%#]\}|--[^\n]*", "", node["raw_code"], flags=re.DOTALL)
        named[name] = re.findall(r"\b(?:from|join)\s+[`\"]?\w+[`\"]?\.[`\"]?\w+", sql, flags=re.IGNORECASE)
    assert {name: tables for name, tables in named.items() if tables} == {}


def test_every_data_test_has_a_name_and_a_sentence_of_its_own(nodes: dict[str, dict[str, Any]]) -> None:
    tests = [node for node in nodes.values() if node["resource_type"] == "test"]
    assert len(tests) > 80
    assert [node["name"] for node in tests if GENERATED_NAME.match(node["name"])] == []
    assert [node["name"] for node in tests if not node["description"].strip().endswith((".", ".)"))] == []


def test_an_exposure_names_tables_that_its_file_reads(
    parsed: dict[str, Any], models: dict[str, dict[str, Any]]
) -> None:
    assert parsed["exposures"]
    for exposure in parsed["exposures"].values():
        source = (ROOT / exposure["config"]["meta"]["file"]).read_text(encoding="utf-8")
        read = set(re.findall(r"\b(?:FROM|JOIN) (\w+)", source)) & set(models)
        named = {unique_id.split(".")[-1] for unique_id in exposure["depends_on"]["nodes"]}
        assert named
        assert named <= read


def test_only_retention_adds_to_a_number_of_the_previous_version(models: dict[str, dict[str, Any]]) -> None:
    """Everywhere else rows are computed again, so that an error heals with the next change: see docs/exactness.md."""
    macros = {path.stem: path.read_text() for path in (project_dir() / "macros").glob("*.sql")}
    codes = macros | {name: node["raw_code"] for name, node in models.items()}
    read_before = {
        name: re.findall(r"\bbefore\('\w+', (\{.*?\}|\w+)\)", code, re.DOTALL) for name, code in codes.items()
    }
    assert sum(map(len, read_before.values())) >= 8
    adding = {name for name, columns in read_before.items() if re.search(r"_count|revenue|duration", str(columns))}
    assert adding == {"changed_retention_cells"}
