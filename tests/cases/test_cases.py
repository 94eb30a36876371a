"""Small files that were once read or counted wrong, each under a tenant of its own: loaded, built once, and asked.

A folder holds the files and case.json: a query with the right answer, or what a load says that must not take place.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from ingest.loading import load_paths
from tests.exactness.builds import Builder
from warehouse.connection import Warehouse
from warehouse.errors import FootfallError

pytestmark = pytest.mark.slow

FOLDERS = sorted(file.parent for file in Path(__file__).parent.glob("*/case.json"))


@pytest.fixture(scope="module")
def answers(shared_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each load said that failed; the others are built and published."""
    builder = Builder(shared_warehouse, tmp_path_factory.mktemp("cases"))
    said = {folder.name: loaded(shared_warehouse, folder) for folder in FOLDERS}
    builder.build()
    return said


def loaded(warehouse: Warehouse, folder: Path) -> str:
    """Load the files of a case; '' if all are loaded, else what was said."""
    case = case_of(folder)
    files = [file for file in sorted(folder.iterdir()) if file.name != "case.json"]
    try:
        results = list(load_paths(warehouse, "events", files, tenant=folder.name, **case.get("options", {})))
    except FootfallError as error:
        return str(error)
    return "; ".join(result.reason for result in results if result.status == "failed")


def case_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "case.json").read_text()))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_case(answers: dict[str, str], shared_warehouse: Warehouse, folder: Path) -> None:
    case = case_of(folder)
    if "error" in case:
        assert case["error"] in answers[folder.name]
        loads = "SELECT count() AS loads FROM loads FINAL WHERE status = 'committed' AND path LIKE {path:String}"
        raw = shared_warehouse.settings.raw_database
        assert rows(shared_warehouse, raw, loads, path=f"{folder}/%") == [{"loads": 0}]
    else:
        assert answers[folder.name] == ""
        database = shared_warehouse.settings.database
        assert rows(shared_warehouse, database, case["query"], tenant=folder.name) == case["right"]


def rows(warehouse: Warehouse, database: str, query: str, **parameters: str) -> list[dict[str, Any]]:
    """The answer as JSON writes it."""
    settings = {
        "output_format_json_quote_64bit_integers": 0,
        "output_format_json_named_tuples_as_objects": 0,
    }
    with warehouse.client(database) as client:
        answer = client.raw_query(query, parameters=parameters, settings=settings, fmt="JSON")
    return list(json.loads(answer)["data"])
