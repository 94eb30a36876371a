"""A full disk, a killed warehouse: nothing of the load is visible, and the same command again does it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest import ledger, raw_tables, row_counts
from ingest.loading import load_paths
from tests.ingest.conftest import Desk, event, ndjson
from tests.survival.processes import kill, server_of
from warehouse.connection import connect
from warehouse.ports import free_ports
from warehouse.settings import Settings

ROWS = [event(event_id=str(number), note="x" * 500) for number in range(20_000)]


def fill_disk(desk: Desk, *, is_full: bool) -> None:
    """As if the disk were full: an insert that finds less free space than asked for fails like one that finds none."""
    least = "1" + "0" * 18 if is_full else "0"
    with desk.warehouse.client(desk.warehouse.settings.raw_database) as client:
        for table in ("events", "rejected_rows"):
            client.command(
                f"ALTER TABLE {{table:Identifier}} MODIFY SETTING min_free_disk_bytes_to_perform_insert = {least}",
                parameters={"table": table},
            )


def test_a_full_disk(desk: Desk) -> None:
    path, good = desk.put("a.ndjson", ROWS), desk.put("b.ndjson", [event(event_id="b")])
    raw_tables.create(desk.warehouse)
    fill_disk(desk, is_full=True)
    results = list(load_paths(desk.warehouse, "events", [path, good]))
    assert [result.status for result in results] == ["failed", "failed"]
    assert "disk is full" in results[0].reason
    assert desk.rows() == []
    fill_disk(desk, is_full=False)
    assert [result.rows_accepted for result in load_paths(desk.warehouse, "events", [path, good])] == [20_000, 1]
    assert desk.remains() == 0


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Settings]:
    http, tcp, ui = free_ports(3)
    yield Settings(home=tmp_path / "home", host=None, http_port=http, tcp_port=tcp, ui_port=ui)


def test_the_warehouse_is_killed_in_the_middle_of_a_load(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTFALL_MAX_REJECTED_SHARE", "1")
    path, other = tmp_path / "a.ndjson", tmp_path / "b.ndjson"
    path.write_bytes(b"junk\n" + ndjson(ROWS))
    other.write_bytes(ndjson([event(event_id="b")]))

    def kill_server(_path: Path, done: int) -> None:
        for pid in server_of(home.home) if done > 5_000_000 else ():
            kill(pid)

    with connect(home) as warehouse:
        results = list(load_paths(warehouse, "events", [path, other], on_progress=kill_server))
    assert [result.status for result in results] == ["failed", "failed"]
    assert "nothing of it is visible" in results[0].reason
    with connect(home) as warehouse:
        desk = Desk(warehouse, tmp_path)
        assert desk.rows() == []
        assert [result.rows_accepted for result in load_paths(warehouse, "events", [path, other])] == [20_000, 1]
        assert desk.remains() == 0


def test_remains_of_one_table_survive_no_load_of_another(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    mapping = desk.put("m.ndjson", [{"anonymous_id": "a", "user_id": "u"}, "junk"])
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "commit", crash)
        with pytest.raises(KeyboardInterrupt):
            desk.load(mapping, "identity_mappings")
    assert desk.remains() == 6, "a row accepted and one rejected, their lines and their counts"
    desk.load_rows(event())
    assert desk.load(mapping, "identity_mappings").rows_accepted == 1
    assert desk.remains() == 0


def test_duplicates_are_counted_some_days_at_a_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_counts, "_ROWS_OF_A_SPAN", 2)
    rows = [event(event_id=str(n), timestamp=f"2026-03-0{1 + n % 5} 12:00:00") for n in range(20)]
    assert desk.load(desk.put("a.ndjson", [*rows, rows[0], rows[7]])).rows_duplicate == 2
    assert desk.load(desk.put("b.ndjson", [*rows[:5], event(event_id="new")])).rows_duplicate == 5
