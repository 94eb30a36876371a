"""The oracle itself, on stories small enough to know the answer: what no warehouse is needed for."""

from typing import Any

import pytest

from tests.oracle.channels import channel, outside_referrer
from tests.oracle.filters import matches
from tests.oracle.reading import UTMS, Row, event_of
from tests.oracle.tables import Line, tables_of

NO_UTMS = dict.fromkeys(UTMS, "")


def told(*rows: Row, mappings: list[Row] | None = None, funnel: list[Row] | None = None) -> dict[str, list[Row]]:
    """The tables of one file of events of one tenant; `at` is the time of day."""
    events = [
        {"tenant_id": "t", "event": "page", "event_id": str(number)}
        | {name: value for name, value in row.items() if name != "at"}
        | {"timestamp": f"2026-03-01T{row['at']}Z"}
        for number, row in enumerate(rows)
    ]
    lines = [Line("events", 1, number, row) for number, row in enumerate(events)]
    lines += [
        Line("identity_mappings", 2, number, {"tenant_id": "t", **row}) for number, row in enumerate(mappings or [])
    ]
    lines += [Line("funnel_steps", 3, number, row) for number, row in enumerate(funnel or [])]
    return tables_of(lines, lambda _tenant, device, start: f"{device} {start:%H:%M}", "secret")


def only(rows: list[Row], *columns: str) -> list[Any]:
    """Some columns of rows, in order."""
    picked = [tuple(row[column] for column in columns) for row in rows]
    return sorted(picked, key=str) if len(columns) > 1 else sorted((value for (value,) in picked), key=str)


def test_what_stands_only_in_the_url_is_read_from_there() -> None:
    url = "https://shop.example/landing?utm_source=Google&utm_medium=cpc&utm_campaign=spring%20sale+2&gclid=abc"
    tables = told({"at": "10:00:00", "distinct_id": "a", "properties": {"$current_url": url}})
    columns = ("entry_host", "entry_pathname", "utm_source", "utm_campaign", "click_ids", "channel")
    assert only(tables["sessions"], *columns) == [
        ("shop.example", "/landing", "Google", "spring sale 2", {"gclid": "abc"}, "Paid Search")
    ]


def test_what_was_sent_goes_before_what_the_url_says() -> None:
    event = event_of(
        {
            "tenant_id": "t", "event": "page", "timestamp": 1_700_000_000, "distinct_id": "a", "utm_source": "sent",
            "current_url": "https://shop.example/a?utm_source=url&utm_medium=email",
        },
        "hash",
    )  # fmt: skip
    assert (event["utm_source"], event["utm_medium"], event["event_id"]) == ("sent", "email", "hash")


def test_a_login_in_the_middle_of_a_visit_cuts_nothing() -> None:
    tables = told(
        {"at": "10:00:00", "anonymous_id": "an-1"},
        {"at": "10:01:00", "anonymous_id": "an-1", "user_id": "cust-1"},
        {"at": "10:02:00", "anonymous_id": "an-1", "user_id": "cust-1", "revenue": 50},
    )
    assert only(tables["sessions"], "user_id", "events_count", "session_id") == [("cust-1", 3, "an-1 10:00")]


def test_a_word_that_means_nobody_is_no_id() -> None:
    tables = told(
        {"at": "10:00:00", "anonymous_id": "devA", "user_id": "null"},
        {"at": "10:01:00", "anonymous_id": "devB", "user_id": " NULL "},
        {"at": "10:02:00", "distinct_id": "anonymous", "session_id": "s1"},
    )
    assert only(tables["users"], "user_id", "is_identified") == [("devA", False), ("devB", False), ("s1", False)]


def test_an_event_of_nobody_is_counted_and_is_nobody_elses() -> None:
    tables = told({"at": "10:00:00"}, {"at": "10:01:00", "distinct_id": "null"}, {"at": "10:02:00", "distinct_id": "a"})
    assert only(tables["events"], "user_id") == ["", "", "a"]
    assert only(tables["events_hourly"], "events_count", "users_count") == [(3, 1)]
    assert only(tables["users"], "user_id") == ["a"]
    assert [len(tables[name]) for name in ("identities", "sessions", "user_days")] == [1, 1, 1]


def test_events_without_a_session_id_belong_to_the_session_that_is_going_on_or_to_none() -> None:
    tables = told(
        {"at": "10:00:00", "distinct_id": "a", "session_id": "s1"},
        {"at": "10:10:00", "distinct_id": "a", "session_id": "s1"},
        {"at": "10:40:00", "distinct_id": "a"},
        {"at": "10:40:01", "distinct_id": "a"},
        {"at": "09:59:59", "distinct_id": "a"},
        {"at": "10:05:00", "distinct_id": "b"},
    )
    assert only(tables["sessions"], "session_id", "events_count") == [("b 10:05", 1), ("s1", 3)]


def test_a_referrer_after_the_entry_is_not_the_entrys() -> None:
    page = {"properties": {"$host": "shop.example", "$referrer": "$direct"}}
    tables = told(
        {"at": "09:59:00", "distinct_id": "a", "event": "start", "referrer": "https://other.example/"},
        {"at": "10:00:00", "distinct_id": "a", **page},
        {"at": "10:05:00", "distinct_id": "a", "host": "shop.example", "referrer": "https://pay.example/"},
    )
    assert only(tables["sessions"], "entry_referrer", "channel") == [("", "Direct")]


def test_two_campaigns_are_never_mixed() -> None:
    tables = told(
        {"at": "10:00:00", "distinct_id": "a", "utm_source": "news"},
        {"at": "10:01:00", "distinct_id": "a", "utm_source": "ads", "utm_medium": "cpc", "gclid": "x"},
    )
    assert only(tables["sessions"], "utm_source", "utm_medium", "click_ids") == [("news", "", {})]


@pytest.mark.parametrize(
    "medium, click_ids, expected",
    [
        ("organic", {"gclid": "x"}, "Paid Search"),
        ("", {"msclkid": "x"}, "Paid Search"),
        ("organic", {"dclid": "x"}, "Display"),
        ("email", {"_kx": "x"}, "Email"),
        ("", {"fbclid": "x"}, "Organic Social"),
        ("display", {"gclid": "x"}, "Display"),
        ("", {}, "Direct"),
    ],
)
def test_a_click_that_was_bought_says_paid(medium: str, click_ids: dict[str, str], expected: str) -> None:
    assert channel(NO_UTMS | {"utm_medium": medium}, click_ids, "") == expected


def test_a_referrer_is_outside_if_none_of_the_own_hosts_is_near_it() -> None:
    own = {"shop.example", "pay.example:8080"}
    addresses = ["https://www.shop.example/a", "checkout.pay.example", "example", "https://News.Example:443/", ""]
    assert [outside_referrer(address, own) for address in addresses] == ["", "", "", "news.example", ""]


def test_an_identify_of_an_identified_id_joins_nobody_and_a_mapping_does() -> None:
    rows: list[Row] = [
        {"at": "09:00:00", "distinct_id": "anon1"},
        {"at": "09:01:00", "event": "$identify", "distinct_id": "alice", "properties": {"$anon_distinct_id": "anon1"}},
        {"at": "10:00:00", "event": "$identify", "distinct_id": "bob", "properties": {"$anon_distinct_id": "alice"}},
    ]
    tables = told(*rows)
    assert only(tables["identities"], "distinct_id", "user_id") == [
        ("alice", "alice"),
        ("anon1", "alice"),
        ("bob", "bob"),
    ]
    assert only(tables["identity_conflicts"], "anonymous_id", "rejected_user_id", "kept_user_id") == [
        ("alice", "bob", "alice")
    ]
    tables = told(*rows, mappings=[{"anonymous_id": "alice", "user_id": "bob"}])
    assert only(tables["users"], "user_id") == ["alice"]
    assert tables["identity_conflicts"] == []


def test_a_later_link_is_a_conflict_until_the_earlier_is_withdrawn() -> None:
    links: list[Row] = [
        {"anonymous_id": "tablet", "user_id": "ana", "first_seen": "2026-01-01"},
        {"anonymous_id": "tablet", "user_id": "ben", "first_seen": "2026-01-02"},
    ]
    tables = told({"at": "10:00:00", "distinct_id": "tablet"}, mappings=links)
    assert only(tables["identity_conflicts"], "kept_user_id", "rejected_user_id") == [("ana", "ben")]
    withdrawn = {"anonymous_id": "tablet", "user_id": "ana", "created_at": "2026-01-01", "is_deleted": 1}
    tables = told({"at": "10:00:00", "distinct_id": "tablet"}, mappings=[*links, withdrawn])
    assert only(tables["users"], "user_id") == ["ben"]
    assert tables["identity_conflicts"] == []


def test_the_earliest_received_version_of_an_event_stands_else_the_latest_load_and_line() -> None:
    def version(load: int, number: int, revenue: int, **more: Any) -> Line:
        row = {
            "tenant_id": "t",
            "event_id": "e",
            "event": "buy",
            "timestamp": "2026-03-01T10:00:00Z",
            "distinct_id": "a",
        }
        return Line("events", load, number, row | {"revenue": revenue} | more)

    def standing(*lines: Line) -> Any:
        (event,) = tables_of(list(lines), lambda *_: "s", "secret")["events"]
        return int(event["revenue"])

    assert standing(version(1, 1, 1), version(2, 1, 2), version(2, 2, 3)) == 3
    received = version(1, 1, 4, received_at="2026-03-01T11:00:00Z")
    assert standing(version(2, 1, 2), received) == 4
    assert standing(received, version(2, 1, 5, received_at="2026-03-01T10:30:00Z")) == 5
    assert standing(received, version(2, 1, 6, received_at="2026-03-01T11:00:00Z")) == 6


def test_amounts_are_rounded_half_up_to_six_places() -> None:
    tables = told(
        {"at": "10:00:00", "distinct_id": "a", "revenue": "0.0000005"},
        {"at": "10:00:01", "distinct_id": "b", "revenue": "-0.0000005"},
        {"at": "10:00:02", "distinct_id": "c", "revenue": " 1,234.5 "},
    )
    assert [str(value) for value in only(tables["users"], "lifetime_value")] == ["-0.000001", "0.000001", "1234.500000"]


def test_step_k_of_an_unordered_funnel_is_the_kth_that_was_reached() -> None:
    step = {"funnel_id": "f", "mode": "unordered", "window_seconds": 60}
    tables = told(
        {"at": "10:00:00", "distinct_id": "a", "event": "buy"},
        {"at": "10:00:10", "distinct_id": "a", "event": "see"},
        {"at": "10:00:00", "distinct_id": "b", "event": "see"},
        funnel=[{**step, "step_number": 1, "event": "see"}, {**step, "step_number": 2, "event": "buy"}],
    )
    reached = [row for row in tables["funnel_events"] if row["funnel_id"] == "f"]
    assert only(reached, "user_id", "step_number", "step_name") == [("a", 1, "buy"), ("a", 2, "see"), ("b", 1, "see")]
    counted = [row for row in tables["funnel_conversions_daily"] if row["funnel_id"] == "f"]
    assert only(counted, "step_number", "users_count", "conversion_from_previous") == [(1, 2, None), (2, 1, 0.5)]


@pytest.mark.parametrize(
    "filter_text, expected",
    [
        ("", True),
        ('{"plan": "pro"}', True),
        ('{"plan": "PRO"}', False),
        ('{"amount": {">": 9, "<=": 10}}', True),
        ('{"amount": 10.0}', True),
        ('{"plan": {"in": ["free", "pro"]}}', True),
        ('{"tags": {"contains": "a"}}', True),
        ('{"missing": {"exists": false}, "plan": {"exists": true}}', True),
        ('{"missing": null}', True),
        ('{"missing": {"!=": "x"}}', True),
        ('{"missing": {"<": 3}}', False),
        ('{"plan": {"like": "p"}}', False),
        ("[]", False),
        ("{", False),
    ],
)
def test_filters(filter_text: str, expected: bool) -> None:
    properties = {"plan": "pro", "amount": "10", "tags": ["a", "b"]}
    event = event_of({"tenant_id": "t", "event": "x", "timestamp": 0, "distinct_id": "a", "properties": properties}, "")
    assert matches(event, "", filter_text) == expected
