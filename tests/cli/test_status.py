"""`footfall status`, and the lock it does not need."""

import os
from pathlib import Path

import pytest

from cli.status import _older_than_tried
from tests.cli.conftest import Footfall, footfall_of
from tests.orchestration.conftest import commit_load
from warehouse.connection import Warehouse
from warehouse.lock import exclusive


def test_an_empty_warehouse_has_a_status(footfall: Footfall, warehouse: Warehouse) -> None:
    with exclusive(warehouse, "a long load"):
        result = footfall("status")
    assert (result.returncode, result.stderr) == (0, "")
    lines = {line[:13].strip(): line[13:].strip() for line in result.stdout.splitlines()}
    assert f"at 127.0.0.1:{warehouse.port}" in lines["Warehouse"]
    assert lines["Writing"].startswith(f"a long load (pid {os.getpid()} on ")
    assert lines["Last load"] == "none yet"
    assert lines["Last build"] == "none yet"
    assert lines["Waiting"] == "nothing"


@pytest.mark.parametrize(
    ("version", "warned"), [("25.12.1.5", True), ("26.8.11.1", True), ("26.9.2.1", False), ("27.1.1", False)]
)
def test_a_server_older_than_any_tried_is_a_warning(version: str, warned: bool) -> None:
    assert ("older than 26.9" in _older_than_tried(version)) is warned


def test_the_second_writer_is_told_who_is_first(footfall: Footfall, warehouse: Warehouse) -> None:
    with exclusive(warehouse, "a long load"):
        result = footfall("build")
    assert result.returncode == 1
    assert "a long load" in result.stderr


def test_there_is_nothing_to_build_before_the_first_load(footfall: Footfall) -> None:
    result = footfall("build")
    assert (result.returncode, result.stderr) == (0, "")
    assert "Nothing has been loaded yet." in result.stdout


def test_status_makes_nothing(warehouse: Warehouse, tmp_path: Path) -> None:
    home = tmp_path / "home"
    result = footfall_of(warehouse, FOOTFALL_HOME=str(home))("status")
    assert (result.returncode, result.stderr) == (0, "")
    assert f"There is no warehouse in {home} yet" in result.stdout.replace("\n", " ").replace("  ", " ")
    assert not home.exists()


def test_status_makes_no_secret(footfall: Footfall, warehouse: Warehouse) -> None:
    secret = warehouse.settings.home / "secret"
    secret.unlink(missing_ok=True)
    commit_load(warehouse, 1, "ada")
    assert footfall("status").returncode == 0
    assert not secret.exists()
