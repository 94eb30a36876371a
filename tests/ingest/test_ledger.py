"""The ledger: a load exists once and as a whole, and the landing folder is the truth of its day."""

import shutil
import time
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import OperationalError

from cli.load import line
from ingest import ledger, raw_tables
from ingest.landing import load_day
from ingest.loading import LoadResult, load_paths
from tests.ingest.conftest import Desk, event, ndjson
from warehouse.errors import FootfallError, UsageError

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
    assert desk.remains() == 6, "a row accepted and one rejected, their lines and their counts"
    assert desk.load(path).status == "loaded"
    assert ids(desk) == ["e1"]
    assert desk.remains() == 0


def test_a_folder_is_all_its_files(desk: Desk) -> None:
    desk.put("exports/1/a.ndjson", [event(event_id="a")])
    desk.put("exports/2/b.csv", "tenant_id,event,timestamp,distinct_id,event_id\nt,click,2026-03-01 12:00:00,d,b\n")
    results = list(load_paths(desk.warehouse, "events", [desk.folder / "exports"]))
    assert [result.status for result in results] == ["loaded", "loaded"]
    assert ids(desk) == ["a", "b"]


def test_a_load_tells_how_many_events_it_corrects(desk: Desk) -> None:
    """Of rows that do not say when they were received the latest load's stand, within a file the later line."""

    def corrected(name: str, *rows: dict[str, Any], **options: Any) -> int:
        return desk.load(desk.put(name, rows), **options).events_corrected

    first, second = event(event_id="e1", browser="Firefox"), event(event_id="e1", browser="Chrome")
    assert corrected("a.ndjson", first, event(event_id="e2")) == 0
    # the same once more is a duplicate
    assert corrected("b.ndjson", first, event(event_id="e3")) == 0
    assert corrected("c.ndjson", second, event(event_id="e2")) == 1
    # of what stands already, and within a file
    assert corrected("d.ndjson", first, second) == 0
    assert corrected("e.ndjson", event(event_id="e4", os="a"), event(event_id="e4", os="b")) == 1
    # whoever was received is the event, whatever comes later
    received = {"received_at": "2026-03-01 12:00:01"}
    assert corrected("f.ndjson", event(event_id="e2", os="c", **received)) == 0
    assert corrected("g.ndjson", event(event_id="e2", os="d")) == 0
    # another day, and another tenant
    assert corrected("h.ndjson", event(event_id="e4", os="c", timestamp="2026-03-02 12:00:00")) == 0
    assert corrected("i.ndjson", event(event_id="e4", os="c", tenant_id="u")) == 0
    # what it replaces it does not correct
    assert corrected("e.ndjson", event(event_id="e4", os="e"), replace=True) == 0


def test_the_line_of_a_load_says_so(desk: Desk) -> None:
    desk.load(desk.put("a.ndjson", [event()]))
    result = desk.load(desk.put("b.ndjson", [event(browser="Chrome")]))
    assert line(result).endswith("1 rows accepted, 0 rejected, 1 duplicate, 1 corrected (tenant t)")


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


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("window_seconds", "4294967295", ""),
        ("window_seconds", "4294967296", "window_seconds is more than 4294967295, which is 136 years"),
        ("window_seconds", "4294970896", "window_seconds is more than 4294967295, which is 136 years"),
        ("window_seconds", "9" * 90, "window_seconds is more than 4294967295, which is 136 years"),
        ("window_seconds", "0", "window_seconds is not a whole number from 1 on"),
        ("step_number", "65535", ""),
        ("step_number", "65537", "step_number is more than 65535"),
    ],
)
def test_a_number_too_large_for_its_column_is_told_so(desk: Desk, field: str, value: str, said: str) -> None:
    step = {"funnel_id": "f", "step_number": 1, "event": "view"} | {field: value}
    result = desk.load(desk.put("funnels.ndjson", [step]), "funnel_steps")
    assert said in result.reason
    assert [str(row[field]) for row in desk.rows("funnel_steps")] == ([] if said else [value])


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


@pytest.fixture
def folder(desk: Desk) -> Iterator[Path]:
    """The landing folder of DAY; the warehouse's home is that of all tests."""
    folder = desk.warehouse.settings.home / "landing" / "events" / DAY.isoformat()
    folder.mkdir(parents=True)
    raw_tables.create(desk.warehouse)
    yield folder
    shutil.rmtree(desk.warehouse.settings.home / "landing")


def test_the_landing_folder_is_the_truth_of_its_day(desk: Desk, folder: Path) -> None:
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


def test_a_renamed_file_keeps_its_load(desk: Desk, folder: Path) -> None:
    old, new = folder / "a.ndjson", folder / "b.ndjson"
    old.write_bytes(ndjson([event(event_id="1")]))
    (first,) = load_day(desk.warehouse, "events", DAY)
    old.rename(new)
    for _ in range(2):
        (result,) = load_day(desk.warehouse, "events", DAY)
        assert (result.status, result.load_id) == ("skipped", first.load_id)
    assert len(desk.query("SELECT load_id FROM loads")) == 1
    new.write_bytes(ndjson([event(event_id="2")]))
    assert [result.status for result in load_day(desk.warehouse, "events", DAY)] == ["loaded", "superseded"]
    assert ids(desk) == ["2"]


def test_a_landing_folder_that_is_away_withdraws_nothing(desk: Desk, folder: Path) -> None:
    landing = folder.parent
    (folder / "a.ndjson").write_bytes(ndjson([event()]))
    load_day(desk.warehouse, "events", DAY)
    landing.rename(landing.with_name("away"))
    with pytest.raises(FootfallError, match="not there"):
        load_day(desk.warehouse, "events", DAY)
    landing.mkdir()
    with pytest.raises(FootfallError, match="is empty"):
        load_day(desk.warehouse, "events", DAY)
    assert ids(desk) == ["e1"]
    assert load_day(desk.warehouse, "identity_mappings", DAY) == [], "a folder that nobody has made yet is no matter"
    folder.mkdir()
    assert [result.status for result in load_day(desk.warehouse, "events", DAY)] == ["superseded"]
    assert ids(desk) == []


def test_a_day_that_the_warehouse_interrupted_withdraws_nothing(
    desk: Desk, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = folder / "a.ndjson", folder / "b.ndjson"
    old.write_bytes(ndjson([event()]))
    load_day(desk.warehouse, "events", DAY)
    old.rename(new)

    def go_away(*_: object) -> None:
        raise OperationalError("connection reset")

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "alike", go_away)
        assert [result.status for result in load_day(desk.warehouse, "events", DAY)] == ["failed"]
    assert ids(desk) == ["e1"]
    assert [result.status for result in load_day(desk.warehouse, "events", DAY)] == ["skipped"]


def test_remains_outlive_neither_a_failed_cleaning_nor_a_withdrawal(
    desk: Desk, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "a.ndjson").write_bytes(ndjson([event()]))
    load_day(desk.warehouse, "events", DAY)
    remove = ledger.remove

    def fail(*_: object) -> None:
        raise OperationalError("connection reset")

    broken, other = desk.put("broken.json", '[{"a": 1}, oops'), desk.put("fine.ndjson", [event(event_id="2")])
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "remove", fail)
        patch.setattr(ledger, "commit", fail)
        list(load_paths(desk.warehouse, "events", [other, broken]))
    assert ledger.remove is remove
    assert len(desk.query("SELECT event_id FROM events")) == 2, "there are remains to be removed"
    (folder / "a.ndjson").unlink()
    assert [result.status for result in load_day(desk.warehouse, "events", DAY)] == ["superseded"]
    assert desk.remains() == 0


def test_remains_go_whatever_the_clock_said_before(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    now = time.time_ns()
    for name, is_ahead in (("ahead", True), ("right again", False)):
        with monkeypatch.context() as patch:
            patch.setattr(ledger.time, "time_ns", lambda is_ahead=is_ahead: now + is_ahead * 10**18)
            assert desk.load(desk.put(f"{name}.ndjson", [event(event_id=name)])).status == "loaded"
            patch.setattr(ledger, "commit", crash)
            with pytest.raises(KeyboardInterrupt):
                desk.load(desk.put(f"{name}, crashed.ndjson", [event(event_id="crashed"), "junk"]))
        assert desk.remains() == 6, "a row accepted and one rejected, their lines and their counts"
        assert desk.load(desk.put(f"{name}, after.ndjson", [event(event_id=f"{name}, after")])).status == "loaded"
        assert desk.remains() == 0
    assert ids(desk) == ["ahead", "ahead, after", "right again", "right again, after"]


def test_a_folder_without_files_is_no_request(desk: Desk) -> None:
    (desk.folder / "empty").mkdir()
    desk.put("empty/notes.txt", "nothing")
    with pytest.raises(UsageError, match=r"no file to load in .*empty.*\.ndjson"):
        load_paths(desk.warehouse, "events", [desk.folder / "empty"])


def test_a_long_ledger_stops_nothing(desk: Desk) -> None:
    desk.load_rows(event())
    with desk.warehouse.client(desk.warehouse.settings.raw_database) as client:
        client.command(
            "INSERT INTO loads (load_id, load_seq, `table`, path, content_hash, status, version) "
            "SELECT concat('000000000000-', hex(sipHash64(number))), number + 10, 'events', '/all.ndjson', "
            "toString(number), 'committed', number + 10 FROM numbers(5000)"
        )
    result = desk.load(desk.put("b.ndjson", [event(note="again"), event(event_id="2")]))
    assert (result.status, result.rows_accepted, result.rows_duplicate) == ("loaded", 2, 1)


@pytest.mark.parametrize("is_committed", [True, False])
def test_a_commit_whose_answer_is_lost_is_never_undone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, is_committed: bool
) -> None:
    commit = ledger.commit
    path, other = desk.put("a.ndjson", [event(event_id="a")]), desk.put("b.ndjson", [event(event_id="b")])

    def lose_answer(client: Client, raw: str, load: ledger.Load, superseded: Sequence[ledger.Load]) -> ledger.Load:
        monkeypatch.undo()
        monkeypatch.setenv("FOOTFALL_MAX_REJECTED_SHARE", "1")
        if is_committed:
            commit(client, raw, load, superseded)
        raise OperationalError("connection reset")

    monkeypatch.setattr(ledger, "commit", lose_answer)
    lost, fine = load_paths(desk.warehouse, "events", [path, other])
    assert (lost.status, lost.is_retryable, fine.status) == ("failed", True, "loaded")
    assert "not known whether it was committed" in lost.reason
    assert ids(desk) == (["a", "b"] if is_committed else ["b"])
    assert desk.load(path).status == ("skipped" if is_committed else "loaded")
    assert ids(desk) == ["a", "b"]
    assert desk.remains() == 0


def test_a_file_that_never_got_to_the_warehouse_deletes_nothing_there(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.load_rows(event())

    def refuse(*_: object) -> None:
        raise AssertionError("there is nothing to remove")

    monkeypatch.setattr(ledger, "remove", refuse)
    assert desk.load(desk.put("empty.ndjson", b"")).status == "failed"


@pytest.mark.parametrize("share", ["a tenth", "nan", "-0.1", "1.5", "inf"])
def test_a_share_that_is_none_is_refused_before_anything_is_loaded(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, share: str
) -> None:
    monkeypatch.setenv("FOOTFALL_MAX_REJECTED_SHARE", share)
    raw_tables.create(desk.warehouse)
    with pytest.raises(UsageError, match="FOOTFALL_MAX_REJECTED_SHARE"):
        load_paths(desk.warehouse, "events", [desk.put("a.ndjson", [event()])])
    with pytest.raises(UsageError, match="FOOTFALL_MAX_REJECTED_SHARE"):
        load_day(desk.warehouse, "events", DAY)


def test_a_file_that_changes_while_it_is_loaded_is_loaded_later(desk: Desk) -> None:
    path = desk.put("a.ndjson", [event(event_id="old")])

    def change(_path: Path, _done: int) -> None:
        path.write_bytes(ndjson([event(event_id="new")]))

    result = desk.load(path, on_progress=change)
    assert result.status == "failed" and "changed while it was being loaded" in result.reason
    assert ids(desk) == [] and desk.remains() == 0
    assert desk.load(path).status == "loaded"
    assert ids(desk) == ["new"]


def test_other_options_load_a_day_again(desk: Desk, folder: Path) -> None:
    (folder / "a.ndjson").write_bytes(ndjson([event(event_id="1", tenant_id=..., who="ann", distinct_id=...)]))
    options = folder / "footfall.yml"
    options.write_text("tenant: north\nmap: {distinct_id: who}\n")

    def load() -> list[str]:
        return [result.status for result in load_day(desk.warehouse, "events", DAY)]

    assert [load(), load()] == [["loaded"], ["skipped"]], "options are no data"
    assert [(row["tenant_id"], row["distinct_id"]) for row in desk.rows()] == [("north", "ann")]
    options.write_text("tenant: south\nmap: {distinct_id: who}\n")
    assert load() == ["superseded"]
    assert [row["tenant_id"] for row in desk.rows()] == ["south"]
    options.write_text("tenant: south\nmapp: {}\n")
    with pytest.raises(FootfallError, match="line 2: there is no option 'mapp'"):
        load()
    assert [row["tenant_id"] for row in desk.rows()] == ["south"], "bad options never cost good data"
