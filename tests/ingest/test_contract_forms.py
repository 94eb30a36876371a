"""What a contract may say of a field: each word of the form on a few rows, read by a contract of the project's own."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingest.contract import Rule, read
from ingest.loading import LoadResult, load_paths
from tests.ingest.conftest import Desk
from warehouse.errors import UsageError

OWN = """
title: A tracker of our own
recognised_by:
  - [our, what]
timezone: Europe/Berlin
each: visits
fields:
  tenant_id: {constant: ours}
  event: {from: [visits.none, what], words: {hit: page_view}}
  event_id: {join: [our.number, {constant: "/"}, visits.step], with: "-"}
  timestamp: {from: visits.at, unit: ms, local: true}
  received_at: visits.heard
  distinct_id: {from: [our.nobody, our.who], without: "device:"}
  session_id: {from: our.visit, per_visitor: true}
  current_url: 'our."the.page"[1]'
  referrer: our.list[before]
  pathname:
    - {join: [our.none, our.who]}
    - visits.path
  revenue: {from: visits.amount, where: {visits.kind: [sale]}}
  currency: {from: our.none, default: EUR}
  properties: {merge: [our.first, our.second], pairs: [our.list]}
  attributes_set: {rest: true, but: [_]}
"""
ROW = {
    "our": {
        "number": 7, "nobody": "NULL", "who": "device:d1", "visit": 1709287200, "the.page": ["x", "https://a.example/p"],
        "list": [{"key": "before", "value": {"string_value": "https://b.example/"}}, {"name": "n", "value": "v"}],
        "first": {"a": 1}, "second": '{"a": 2, "b": 3}',
    },
    "what": "hit", "plan": "pro", "_secret": 1, "none": None,
    "visits": [
        {
            "step": 1, "at": 1709287200000, "heard": "2024-03-01 10:00:01", "kind": "sale", "amount": "5,000.50",
            "path": "/p",
        },
        {"step": 2, "at": 1709287201000, "kind": "cart", "amount": 9, "path": "/q"},
    ],
}  # fmt: skip


def loaded(desk: Desk, rows: list[dict[str, Any]], contract: str = OWN, **options: Any) -> LoadResult:
    """Load rows in a home that has this contract."""
    home = desk.folder / "home"
    (home / "contracts").mkdir(parents=True, exist_ok=True)
    (home / "contracts" / "own.yml").write_text(contract)
    warehouse = replace(desk.warehouse, settings=desk.warehouse.settings.model_copy(update={"home": home}))
    (result,) = load_paths(warehouse, "events", [desk.put("rows.ndjson", rows)], **options)
    warehouse.close()
    return result


def test_each_word_of_the_form(desk: Desk) -> None:
    result = loaded(desk, [ROW])
    assert (result.status, result.rows_rejected, result.findings.trackers) == ("loaded", 0, (("own", 2),))
    first, second = desk.query("SELECT *, toString(timestamp) AS at FROM events ORDER BY timestamp")
    assert first["tenant_id"] == "ours", "constant"
    assert first["event"] == "page_view", "from, words"
    assert [first["event_id"], second["event_id"]] == ["7-/-1", "7-/-2"], "join, with, each"
    assert first["at"] == "2024-03-01 09:00:00.000000", "unit, local: ten o'clock in Berlin"
    assert f"{first['received_at']:%H:%M:%S}" == "09:00:01", "timezone"
    assert first["distinct_id"] == "d1", "without; a word that means nobody is passed over"
    assert first["session_id"] == "d1:1709287200", "per_visitor"
    assert (first["current_url"], first["host"]) == ("https://a.example/p", "a.example"), "a place in a list"
    assert (first["referrer"], first["referring_domain"]) == ("https://b.example/", "b.example"), "a name in a list"
    assert [first["pathname"], second["pathname"]] == ["/p", "/q"], "first_of: a join that lacks a part is absent"
    assert [first["revenue"] and float(first["revenue"]), second["revenue"]] == [5000.5, None], "where"
    assert first["currency"] == "EUR", "default"
    properties = json.loads(first["properties"])
    assert [properties[name] for name in ("a", "b", "before", "n")] == [1, 3, "https://b.example/", "v"], "merge, pairs"
    assert json.loads(first["attributes_set"]) == {"plan": "pro"}, "rest, but"


def test_every_word_of_the_form_is_tried() -> None:
    used = {word for text in OWN.splitlines() for word in Rule.model_fields if f"{word.rstrip('_')}:" in text}
    assert used | {"first_of"} == set(Rule.model_fields)


def test_a_contract_of_the_project_takes_precedence_over_a_bundled_one(desk: Desk) -> None:
    own = "title: Ours\nrecognised_by:\n  - [event_params]\nfields:\n  tenant_id: {constant: ours}\n"
    own += "  event: event_name\n  timestamp: event_timestamp\n  user_id: event_params[user]\n"
    row = {"event_timestamp": 1709287200123456, "event_name": "x", "user_pseudo_id": "1.2"}
    row["event_params"] = [{"key": "user", "value": {"string_value": "u"}}]
    assert loaded(desk, [row], own).findings.trackers == (("own", 1),)
    assert desk.rows()[0]["distinct_id"] == "u"


def test_the_contract_that_asks_for_most_reads_a_row(desk: Desk) -> None:
    """A row of the table of track calls has all that a row of the table of identify calls is recognised by."""
    row = {"id": "1", "user_id": "u", "received_at": "2024-03-01", "original_timestamp": "2024-03-01"}
    track = row | {"event": "a_b", "event_text": "A B", "timestamp": "2024-03-01"}
    result = desk.load_rows(row, track, tenant="t")
    assert dict(result.findings.trackers) == {"segment_identifies": 1, "segment_tracks": 1}
    assert [found["event"] for found in desk.rows()] == ["identify", "A B"]


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ("event: {from: a, constant: b}", "exactly one of"),
        ("event: {merge: a}", "no JSON object"),
        ("event: {from: a, unit: s}", "no time"),
        ("evnt: a", "no field evnt"),
        ("event: {fro: a}", "fro"),
        ("event: 'a[b'", "not a path"),
        ("user_id: {from: a, per_visitor: true}", "no session id"),
        ("event: [a, {merge: b}]", "several ways"),
    ],
)
def test_a_contract_that_makes_no_sense_is_refused(tmp_path: Path, field: str, problem: str) -> None:
    file = tmp_path / "own.yml"
    file.write_text(f"title: Ours\nfields:\n  {field}\n")
    with pytest.raises(UsageError, match=problem) as refused:
        read(file)
    assert str(file) in str(refused.value)
