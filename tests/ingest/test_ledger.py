"""The ledger: a load exists once and as a whole, and the landing folder is the truth of its day."""

from datetime import date
from pathlib import Path

import pytest

from ingest import ledger
from ingest.landing import load_day
from ingest.loading import LoadResult, load_paths
from tests.ingest.conftest import Desk, event
from warehouse.errors import UsageError

DAY = date(2026, 3, 1)


def ids(desk: Desk) -> list[str]:
    return sorted(row["event_id"] for row in desk.rows())


def test_the_same_content_is_loaded_once_whatever_its_name(desk: Desk) -> None:
    first = desk.load(desk.put("a.ndjson", [event()]))
    again = desk.load(desk.put("b.ndjson", [event()]))
    assert (first.status, again.status) == ("loaded", "skipped")
    assert ids(desk) == ["e1"]


def test_a_changed_file_is_one_more_load_unless_it_replaces(desk: Desk) -> None:
    path = desk.put("a.ndjson", [event(event_id="monday")])
    desk.load(path)
    desk.put("a.ndjson", [event(event_id="tuesday")])
    assert desk.load(path).status == "loaded"
    assert ids(desk) == ["monday", "tuesday"]
    desk.put("a.ndjson", [event(event_id="wednesday")])
    assert desk.load(path, replace=True).status == "superseded"
    assert ids(desk) == ["wednesday"]
    desk.put("a.ndjson", [event(event_id="monday")])
    assert desk.load(path, replace=True).status == "superseded", "what was superseded may come back"
    assert ids(desk) == ["monday"]


def test_every_commit_gets_the_next_number(desk: Desk) -> None:
    numbers = [desk.load(desk.put(f"{name}.ndjson", [event(event_id=name)])).load_seq for name in "abc"]
    assert numbers == [1, 2, 3]


def test_duplicates_are_counted_within_a_file_and_across_loads(desk: Desk) -> None:
    assert desk.load(desk.put("a.ndjson", [event(), event(), event(event_id="e2")])).rows_duplicate == 1
    assert desk.load(desk.put("b.ndjson", [event(x=1), event(event_id="e3")])).rows_duplicate == 1
    other_day = event(timestamp="2026-03-02 12:00:00")
    assert desk.load(desk.put("c.ndjson", [other_day])).rows_duplicate == 0, (
        "the same id on another day is another event"
    )


def test_a_crash_before_the_commit_leaves_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    path = desk.put("a.ndjson", [event(), "junk"])
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "commit", crash)
        with pytest.raises(KeyboardInterrupt):
            desk.load(path)
    assert desk.rows() == []
    assert desk.remains() == 2
    assert desk.load(path).status == "loaded"
    assert ids(desk) == ["e1"]
    assert desk.remains() == 0


def test_a_folder_is_all_its_files(desk: Desk) -> None:
    desk.put("exports/1/a.ndjson", [event(event_id="a")])
    desk.put("exports/2/b.csv", "tenant_id,event,timestamp,distinct_id,event_id\nt,click,2026-03-01 12:00:00,d,b\n")
    results = list(load_paths(desk.warehouse, "events", [desk.folder / "exports"]))
    assert [result.status for result in results] == ["loaded", "loaded"]
    assert ids(desk) == ["a", "b"]


def test_a_request_that_makes_no_sense_is_refused_before_anything_is_loaded(desk: Desk) -> None:
    path = desk.put("a.ndjson", [event()])
    with pytest.raises(UsageError, match="no field 'colour'"):
        load_paths(desk.warehouse, "events", [path], mapping={"colour": "x"})
    with pytest.raises(UsageError, match="There is no file"):
        load_paths(desk.warehouse, "events", [path, Path("nowhere.csv")])


def test_a_definition_file_counts_as_a_whole(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FOOTFALL_MAX_REJECTED_SHARE")
    steps = "funnel_id,step_number,step_name,event,mode\nf,1,see,view,ordered\nf,two,buy,order,ordered\n"
    result = desk.load(desk.put("funnels.csv", steps), "funnel_steps")
    assert result.status == "failed"
    assert desk.rows("funnel_steps") == []
    fine = desk.load(desk.put("funnels.csv", steps.replace("two", "2")), "funnel_steps")
    assert (fine.status, fine.rows_accepted) == ("loaded", 2)


def test_identity_mappings(desk: Desk) -> None:
    mappings = (
        "anonymous_id,user_id,kind,first_seen,created_at,is_deleted,tenant_id\n"
        "a,ann,,2026-03-01,,0,t\nb,bob,merge,,2026-03-02 10:00:00,true,\n"
    )
    assert desk.load(desk.put("links.csv", mappings), "identity_mappings").rows_accepted == 2
    first, second = desk.rows("identity_mappings")
    assert (first["kind"], first["is_deleted"], first["tenant_id"]) == ("link", 0, "t")
    assert (second["kind"], second["is_deleted"], second["tenant_id"]) == ("merge", 1, "")
    assert first["created_at"] is None
    assert second["first_seen_at"] is None


def test_the_landing_folder_is_the_truth_of_its_day(desk: Desk) -> None:
    folder = desk.warehouse.settings.home / "landing" / "events" / DAY.isoformat()
    folder.mkdir(parents=True)
    for path in folder.iterdir():
        path.unlink()

    def put(name: str, event_id: str) -> None:
        (folder / name).write_bytes(desk.put("row", [event(event_id=event_id)]).read_bytes())

    def load() -> list[LoadResult]:
        return load_day(desk.warehouse, "events", DAY)

    put("a.ndjson", "a1")
    put("b.ndjson", "b1")
    assert [result.status for result in load()] == ["loaded", "loaded"]
    put("a.ndjson", "a2")
    (folder / "b.ndjson").unlink()
    assert [result.status for result in load()] == ["superseded", "superseded"]
    assert ids(desk) == ["a2"]
    assert [result.status for result in load()] == ["skipped"]
    put("b.ndjson", "b1")
    assert sorted(result.status for result in load()) == ["loaded", "skipped"], "what vanished may come back"
    assert ids(desk) == ["a2", "b1"]
    (folder / "a.ndjson").write_bytes(b"\x00\x01")
    assert sorted(result.status for result in load()) == ["failed", "skipped"]
    assert ids(desk) == ["a2", "b1"], "bad input never costs good data"
    for path in folder.iterdir():
        path.unlink()
