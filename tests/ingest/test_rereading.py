"""Lines that are kept, and read again when a contract says something else: as if the files were loaded today."""

from pathlib import Path
from typing import Any

import pytest

from ingest import rereading
from tests.ingest.conftest import Desk, event
from warehouse.lock import exclusive

OWN = """
title: Our shop
recognised_by: [[shop_event]]
fields:
  event: shop_event
  event_id: number
  tenant_id: {constant: shop}
  timestamp: {from: at, unit: s}
  distinct_id: %s
"""


def shop(number: int, **fields: Any) -> dict[str, Any]:
    return {"shop_event": "buy", "number": number, "at": 1772366400 + number, "customer": f"c{number}", **fields}


def contract(desk: Desk, distinct_id: str) -> Path:
    """A project's own contract, whose customers stand under this name."""
    path = desk.warehouse.settings.home / "contracts" / "shop.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(OWN % distinct_id)
    return path


def read_again(desk: Desk) -> list[rereading.Reread]:
    with exclusive(desk.warehouse, "a test"), desk.warehouse.client() as client:
        return list(rereading.read_again(desk.warehouse, client))


def reading(desk: Desk) -> list[tuple[Any, ...]]:
    """What stands of the events and of the rejected rows, without the names of loads."""
    events = desk.rows(columns="* EXCEPT load_id")
    standing = "load_id IN (SELECT load_id FROM loads FINAL WHERE status = 'committed')"
    lines = desk.query(f"SELECT line, text, problem FROM lines WHERE {standing} ORDER BY ALL")
    rejected = desk.query(f"SELECT line, reason, original FROM rejected_rows WHERE {standing} ORDER BY ALL")
    return [tuple(row.values()) for row in (*events, *lines, *rejected)]


def test_every_row_is_kept_byte_for_byte(desk: Desk) -> None:
    lines = ['{"event" : "odd spacing",  "a":1.10}', "{not json", '{"tenant_id":"t","event":"x"}', 'q "\\ud83d" \x07']
    desk.load(desk.put("a.ndjson", "\n".join([*lines, ""])))
    assert [row["text"] for row in desk.query("SELECT text FROM lines ORDER BY line")] == lines
    desk.load(desk.put("a.csv", "tenant_id,event,timestamp,distinct_id\nt,x,2026-03-01,d\nt,short\n"))
    kept = desk.query("SELECT text, problem FROM lines WHERE load_id = (SELECT max(load_id) FROM lines) ORDER BY line")
    assert [tuple(row.values()) for row in kept] == [
        ('{"tenant_id":"t","event":"x","timestamp":"2026-03-01","distinct_id":"d"}', ""),
        ("t,short", "2 cells where the header has 4"),
    ]


def test_a_contract_that_changed_reads_the_lines_again_as_if_the_files_were_loaded_today(desk: Desk) -> None:
    own = contract(desk, "client")
    rows = [shop(1), shop(2, customer=None), event(event_id="other"), "{not json"]
    path = desk.put("shop.ndjson", rows)
    assert desk.load(path).findings.rows_of_nobody == 2, "the contract looks for customers in the wrong place"
    (before,) = desk.query("SELECT * FROM loads FINAL")
    assert read_again(desk) == []
    contract(desk, "customer")
    (again,) = read_again(desk)
    path.unlink()
    assert (again.after.load_order, again.after.rows_accepted) == (before["load_order"], 3)
    assert again.after.load_seq > before["load_seq"]
    found = {row["event_id"]: row["distinct_id"] for row in desk.rows()}
    assert found == {"1": "c1", "2": "", "other": "d"}
    reread = reading(desk)
    assert read_again(desk) == []
    # loading anew what came then gives the same
    desk.load(desk.put("shop.ndjson", rows), replace=True, tenant="no matter")
    assert reading(desk) == reread
    own.unlink()


def test_the_same_content_is_no_skip_if_the_contract_says_something_else(desk: Desk) -> None:
    own = contract(desk, "client")
    path = desk.put("shop.ndjson", [shop(1)])
    desk.load(path)
    assert desk.load(path, replace=True).status == "skipped"
    contract(desk, "customer")
    assert desk.load(path, replace=True).status == "superseded"
    assert [row["distinct_id"] for row in desk.rows()] == ["c1"]
    own.unlink()


def test_a_reading_that_would_reject_too_much_leaves_the_one_before(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FOOTFALL_MAX_REJECTED_SHARE")
    own = contract(desk, "customer")
    desk.load(desk.put("shop.ndjson", [shop(number) for number in range(1, 9)]))
    own.write_text(own.read_text().replace("event: shop_event", "event: nothing"))
    before = reading(desk)
    (again,) = read_again(desk)
    assert "8 of 8 rows would be rejected: no event name" in again.problem
    assert reading(desk) == before
    own.unlink()


def test_rows_of_several_trackers_in_one_file(desk: Desk) -> None:
    own = contract(desk, "customer")
    segment = {
        "type": "track", "event": "Order", "messageId": "m", "anonymousId": "a-7", "timestamp": "2026-03-01T12:00:00Z",
        "context": {"library": {"name": "x"}}, "originalTimestamp": "2026-03-01T12:00:00Z",
    }  # fmt: skip
    result = desk.load(desk.put("mixed.ndjson", [shop(1), segment, event(), shop(2), shop(3)]), tenant="t")
    assert result.findings.tracker == "shop 3, general 1, segment 1"
    assert {row["event_id"]: row["distinct_id"] for row in desk.rows()} == {
        "1": "c1", "2": "c2", "3": "c3", "m": "a-7", "e1": "d",
    }  # fmt: skip
    assert len(desk.query("SELECT * FROM lines")) == 5
    own.unlink()
