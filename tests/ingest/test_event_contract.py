"""The event contract: which spellings are understood, what becomes of a value, and that nothing is lost."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ingest.conftest import Desk, event


def test_the_spellings_of_each_field(desk: Desk) -> None:
    desk.load_rows(
        event(event_id=..., uuid="by uuid", tenant_id=..., location_id="shop"),
        event(event_id=..., messageId="by messageId", tenant_id=..., project_id=7),
        event(event_id="by event_name", event=..., event_name="named", tenant_id=..., organization_id="org"),
        event(event_id="by user_id", distinct_id=..., user_id="ann", anonymous_id="an-1"),
        event(event_id="by anonymous_id", distinct_id=..., anonymous_id=42),
    )
    found = {row["event_id"]: row for row in desk.rows()}
    assert found["by uuid"]["tenant_id"] == "shop"
    assert found["by messageId"]["tenant_id"] == "7"
    assert (found["by event_name"]["event"], found["by event_name"]["tenant_id"]) == ("named", "org")
    ann = found["by user_id"]
    assert (ann["distinct_id"], ann["anonymous_id"], ann["is_identified"]) == ("ann", "an-1", 1)
    anon = found["by anonymous_id"]
    assert (anon["distinct_id"], anon["is_identified"]) == ("42", 0)


def test_page_and_campaign_fields_are_found_in_the_row_and_in_its_properties(desk: Desk) -> None:
    desk.load_rows(
        event(
            event_id="posthog",
            properties={
                "$session_id": "s", "$device_id": "d", "$is_identified": True, "$current_url": "https://a.example/x",
                "$host": "a.example", "$pathname": "/x", "$referrer": "$direct", "$referring_domain": "$direct",
                "utm_source": "news", "gclid": "G1", "$browser": "Chrome", "$os": "Linux", "revenue": "12.50",
            },
        ),
        event(event_id="flat", session_id="s2", utm_campaign="spring", fbclid="F", referrer="https://b.example",
              revenue=3),
    )  # fmt: skip
    posthog, flat = (next(row for row in desk.rows() if row["event_id"] == name) for name in ("posthog", "flat"))
    assert (posthog["session_id"], posthog["device_id"], posthog["is_identified"]) == ("s", "d", 1)
    assert (posthog["current_url"], posthog["host"], posthog["pathname"]) == ("https://a.example/x", "a.example", "/x")
    assert (posthog["referrer"], posthog["referring_domain"]) == ("", "")
    assert (posthog["utm_source"], posthog["click_ids"], posthog["browser"]) == ("news", {"gclid": "G1"}, "Chrome")
    assert float(posthog["revenue"]) == 12.5
    assert (flat["session_id"], flat["utm_campaign"], flat["click_ids"]) == ("s2", "spring", {"fbclid": "F"})
    assert (flat["referrer"], float(flat["revenue"])) == ("https://b.example", 3.0)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("2026-03-01T12:00:00.123456Z", datetime(2026, 3, 1, 12, 0, 0, 123456, UTC)),
        ("2026-03-01T12:00:00+02:00", datetime(2026, 3, 1, 10, 0, 0, 0, UTC)),
        ("2026-03-01 12:00:00.5", datetime(2026, 3, 1, 12, 0, 0, 500000, UTC)),
        (1772366400, datetime(2026, 3, 1, 12, 0, 0, 0, UTC)),
        (1772366400123, datetime(2026, 3, 1, 12, 0, 0, 123000, UTC)),
        ("1772366400", datetime(2026, 3, 1, 12, 0, 0, 0, UTC)),
    ],
)
def test_spellings_of_a_time(desk: Desk, sent: Any, expected: datetime) -> None:
    desk.load_rows(event(timestamp=sent))
    (row,) = desk.rows(columns="toString(timestamp) AS at, received_at")
    assert row["at"] == f"{expected:%Y-%m-%d %H:%M:%S.%f}"
    assert row["received_at"] is None, "nobody said when it was received"


def test_the_type_of_an_event_is_kept_as_it_was_sent(desk: Desk) -> None:
    desk.load_rows(event(event="$pageview"), event(event="$pageview", event_id="own", event_type="mine"))
    assert [row["event_type"] for row in desk.rows()] == ["", "mine"], "what a name stands for is the models' business"


def test_why_rows_are_rejected(desk: Desk) -> None:
    lines = [
        (event(tenant_id=...), "no tenant"),
        (event(event=""), "no event name"),
        (event(timestamp="yesterday"), "unreadable timestamp"),
        (event(timestamp="2022-02-30 00:00:00"), "unreadable timestamp"),
        (event(timestamp="1999-12-31 23:59:59"), "timestamp before 2000-01-01"),
        (event(received_at="2026-02-28 11:59:59"), "timestamp more than 24 hours after received_at"),
        (event(timestamp="2199-01-01"), "timestamp more than 24 hours after now"),
        (event(properties=[1]), "properties is not a JSON object"),
        ("{not json", "not readable as JSON"),
    ]
    result = desk.load_rows(event(), *(row for row, _ in lines))
    assert (result.status, result.rows_accepted, result.rows_rejected) == ("loaded", 1, len(lines))
    expected = [
        (number, reason, row if isinstance(row, str) else json.dumps(row))
        for number, (row, reason) in enumerate(lines, start=2)
    ]
    assert desk.rejected() == expected


def test_an_event_of_another_time_is_rejected_whatever_it_says_it_was_received(desk: Desk) -> None:
    outside = {
        "2099-01-01": "timestamp more than 24 hours after now",
        "2149-06-07": "timestamp more than 24 hours after now",
        5662310400: "timestamp more than 24 hours after now",
        "9999-12-31": "timestamp more than 24 hours after now",
        "1969-12-31": "timestamp before 2000-01-01",
        "1899-12-31": "timestamp before 2000-01-01",
        "0001-01-01": "timestamp before 2000-01-01",
        -1: "timestamp before 2000-01-01",
    }
    rows = [event(timestamp=at, received_at=at) for at in outside]
    ahead = event(event_id="e2", received_at="2200-01-01")
    result = desk.load_rows(*rows, ahead)
    assert [reason for _, reason, _ in desk.rejected()] == list(outside.values())
    assert result.rows_accepted == 1


def test_too_many_rejected_rows_fail_the_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FOOTFALL_MAX_REJECTED_SHARE")
    good = [event(event_id=str(number)) for number in range(8)]
    result = desk.load(desk.put("two.ndjson", [*good, "junk", "junk"]))
    assert (result.status, result.rows_rejected) == ("failed", 2)
    assert desk.rows() == []
    assert desk.rejected() == [(9, "not readable as JSON", "junk"), (10, "not readable as JSON", "junk")]
    result = desk.load(desk.put("one.ndjson", [*good[:2], "junk"]))
    assert (result.status, result.rows_rejected) == ("loaded", 1), (
        "one row says nothing about a file that has good ones"
    )
    assert desk.load(desk.put("none.ndjson", ["junk"])).status == "failed"


def test_what_no_column_holds_is_kept_in_the_properties(desk: Desk) -> None:
    desk.load_rows(
        event(plan="pro", nested={"a": [1, 2.5, None]}, project_id="other", properties={"own": True, "plan": "free"})
    )
    (row,) = desk.rows()
    properties = json.loads(row["properties"])
    assert properties["own"] is True
    assert properties["plan"] == "free"
    assert properties["nested"] == {"a": [1, 2.5, None]}
    assert properties["project_id"] == "other"
    assert "pro" in properties.values(), "a name that is taken keeps both values"


def test_an_event_without_an_id_has_the_hash_of_its_line(desk: Desk) -> None:
    row = event(event_id=..., properties={"a": 1})
    desk.load(desk.put("one.ndjson", [row]))
    result = desk.load(
        desk.put("two.json", json.dumps([row, row | {"distinct_id": "other"}])), mapping={"city": "event"}
    )
    assert result.rows_duplicate == 1, "the same line is the same event, whatever it is read by"
    assert len({found["event_id"] for found in desk.rows()}) == 2


def test_columns_with_names_of_their_own(desk: Desk) -> None:
    table = "who,what,when,shop_name,size\r\nann,visit,2026-03-01 12:00:00,north,3\r\n"
    result = desk.load(
        desk.put("own.csv", table),
        tenant="t",
        mapping={"distinct_id": "who", "event": "what", "timestamp": "when"},
    )
    assert result.rows_accepted == 1
    (row,) = desk.rows()
    assert (row["distinct_id"], row["event"], row["tenant_id"]) == ("ann", "visit", "t")
    assert json.loads(row["properties"]) == {"shop_name": "north", "size": "3"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.text(min_size=1, max_size=6), JSON, max_size=4), min_size=1, max_size=5))
def test_properties_survive_whatever_they_hold(desk: Desk, all_properties: list[dict[str, Any]]) -> None:
    rows = [event(event_id=f"p{number}", properties=properties) for number, properties in enumerate(all_properties)]
    result = desk.load_rows(*rows, replace=True)
    if result.status == "skipped":
        return
    assert result.rows_accepted == len(rows)
    found = desk.query(
        "SELECT event_id, properties FROM events WHERE load_id = {load_id:String}", load_id=result.load_id
    )
    assert {row["event_id"]: json.loads(row["properties"]) for row in found} == {
        row["event_id"]: row["properties"] for row in rows
    }
