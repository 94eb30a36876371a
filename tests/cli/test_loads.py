"""`footfall loads`, `footfall unload` and `footfall tenants`: what the ledger holds, and how it is taken out again."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ingest.loading import load_paths
from tests.cli.conftest import Footfall
from warehouse.connection import Warehouse


@pytest.fixture
def files(tmp_path: Path, warehouse: Warehouse) -> Path:
    """A folder with two loaded files of events, and one of mappings."""
    _put(tmp_path / "a[/b].ndjson", _event(event_id="1"), _event(event_id="2"))
    _put(tmp_path / "later" / "b.ndjson", _event(event_id="3", tenant_id="zoo"))
    mappings = _put(tmp_path / "links.ndjson", {"tenant_id": "acme", "anonymous_id": "x", "user_id": "y"})
    list(load_paths(warehouse, "events", [tmp_path / "a[/b].ndjson", tmp_path / "later"]))
    list(load_paths(warehouse, "identity_mappings", [mappings]))
    return tmp_path


def _event(**fields: Any) -> dict[str, Any]:
    return {"tenant_id": "acme", "event": "click", "timestamp": "2026-03-01 12:00:00", "distinct_id": "d", **fields}


def _put(path: Path, *rows: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _lines(footfall: Footfall, *options: str) -> list[dict[str, str]]:
    """The lines of `footfall loads`, without the numbers of rows."""
    result = footfall("loads", *options)
    assert (result.returncode, result.stderr) == (0, "")
    cells = [re.split(" {2,}", line.strip()) for line in result.stdout.splitlines()[1:]]
    return [dict(zip(("Load", "Id", "Table", "Path", "Status"), [*of[:4], of[-2]], strict=True)) for of in cells]


def test_the_ledger_is_listed_the_newest_first(footfall: Footfall, files: Path) -> None:
    lines = _lines(footfall)
    assert [(line["Load"], line["Table"], line["Path"], line["Status"]) for line in lines] == [
        ("3", "identity_mappings", str(files / "links.ndjson"), "loaded, waits to be built"),
        ("2", "events", str(files / "later" / "b.ndjson"), "loaded, waits to be built"),
        ("1", "events", str(files / "a[/b].ndjson"), "loaded, waits to be built"),
    ]
    assert [line["Load"] for line in _lines(footfall, "--table", "events", "--tenant", "zoo")] == ["2"]
    newest = footfall("loads", "--limit", "1")
    assert "newest 1 of 3" in newest.stderr
    assert len(newest.stdout.splitlines()) == 2


def test_loads_are_withdrawn_by_number_by_id_and_by_path(footfall: Footfall, files: Path) -> None:
    an_id = _lines(footfall)[0]["Id"]
    trial = footfall("unload", "1", an_id, str(files / "later"), "--dry-run")
    assert trial.returncode == 0
    assert trial.stdout.count("would go") == 3
    assert {line["Status"] for line in _lines(footfall)} == {"loaded, waits to be built"}

    result = footfall("unload", "1", an_id, str(files / "later"))
    assert (result.returncode, result.stderr) == (0, "")
    assert f"withdrawn  1 {files / 'a[/b].ndjson'}: 2 rows of events" in result.stdout
    statuses = {line["Load"]: line["Status"] for line in _lines(footfall)}
    assert statuses == {
        "6": "withdrawal, waits to be built",
        "5": "withdrawal, waits to be built",
        "4": "withdrawal, waits to be built",
        "3": "withdrawn by 6, waits to be built",
        "2": "withdrawn by 5, waits to be built",
        "1": "withdrawn by 4, waits to be built",
    }


def test_what_was_withdrawn_can_be_loaded_again(footfall: Footfall, files: Path) -> None:
    path = str(files / "a[/b].ndjson")
    assert footfall("unload", path).returncode == 0
    again = footfall("unload", "1", path)
    assert again.returncode == 0
    assert "skipped" in again.stdout
    assert "Nothing to withdraw." in again.stdout
    loaded = footfall("load", "events", path)
    assert loaded.returncode == 0
    assert loaded.stdout.startswith("loaded")
    assert _lines(footfall)[0]["Load"] == "5"


def test_a_load_that_nobody_knows_withdraws_nothing(footfall: Footfall, files: Path) -> None:
    result = footfall("unload", "1", "nowhere.ndjson")
    assert result.returncode == 2
    assert "No load has the number, id or path 'nowhere.ndjson'" in result.stderr
    assert all(line["Status"].startswith("loaded") for line in _lines(footfall))


def test_a_wrong_tenant_is_repaired_by_replacing(footfall: Footfall, warehouse: Warehouse, tmp_path: Path) -> None:
    path = _put(tmp_path / "nobodys.ndjson", _event(tenant_id=""))
    assert footfall("load", "events", str(path), "--tenant", "wrong").returncode == 0
    assert footfall("load", "events", str(path), "--tenant", "acme", "--replace").stdout.startswith("superseded")
    tenants = footfall("tenants")
    assert tenants.returncode == 0
    # the wrong one's load still stands in nothing that is published, and waits to be taken out
    assert [line.split() for line in tenants.stdout.splitlines()[1:]] == [
        ["acme", "0", "0", "1"],
        ["wrong", "0", "0", "1"],
    ]
    assert _lines(footfall, "--tenant", "wrong")[0]["Status"] == "superseded by 2, waits to be built"


def test_an_empty_warehouse_lists_nothing(footfall: Footfall) -> None:
    assert footfall("loads").stdout == "Nothing has been loaded yet.\n"
    assert footfall("tenants").stdout == "There is no tenant yet: nothing has been loaded.\n"
    assert footfall("unload", "1").returncode == 2


def test_what_a_person_says_of_two_ids_is_a_load(footfall: Footfall, files: Path) -> None:
    """Before the first build, too; the later of two statements takes the place of the earlier."""
    assert footfall("unmerge", "--tenant", "acme", "d", "x").returncode == 2
    for command in ("merge", "merge", "unmerge"):
        said = footfall(command, "--tenant", "acme", "d", "x")
        assert (said.returncode, said.stderr) == (0, "")
    lines = _lines(footfall, "--table", "identity-mappings")
    assert [(line["Load"], line["Path"], line["Status"]) for line in lines] == [
        ("5", "command:unmerge --tenant acme d x", "loaded, waits to be built"),
        ("4", "command:merge --tenant acme d x", "superseded by 5, waits to be built"),
        ("3", str(files / "links.ndjson"), "loaded, waits to be built"),
    ]
