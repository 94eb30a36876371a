"""What each endpoint says, by the habits of the services whose clients it serves."""

import csv
import io
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import orjson
import pyarrow.parquet as parquet
import pytest

from serving.pipes import dashboards, pipes
from tests.cli.conftest import ROOT
from tests.serving.conftest import Service
from warehouse import publishing
from warehouse.journal import Entry, State, Version
from warehouse.lock import exclusive

SESSION_COLUMNS = [
    "session_id", "session_start", "session_end", "session_duration_seconds", "location_id", "first_distinct_id",
    "last_distinct_id", "became_identified", "event_count", "pageview_count", "entry_url", "entry_host",
    "entry_pathname", "entry_referrer", "entry_referring_domain", "first_utm_source", "first_utm_medium",
    "first_utm_campaign", "first_utm_content", "first_utm_term", "exit_url", "exit_pathname", "browser", "device_type",
    "timezone",
]  # fmt: skip
TOUCH = ["utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"]
CLICKS = ["gclid", "fbclid", "msclkid"]
REFERRERS = ["referrer", "referring_domain"]
COLUMNS = {
    "user_profile_events": ["uuid", "event", "properties", "timestamp", "distinct_id", "location_id"],
    "user_sessions": SESSION_COLUMNS,
    "sessions_analytics": [*SESSION_COLUMNS, "seconds_per_pageview", "session_date"],
    "user_attribution": [
        *(f"{touch}_{name}" for touch in ("first", "recent") for name in TOUCH + CLICKS + REFERRERS),
        *(f"first_session_{name}" for name in TOUCH + REFERRERS),
        "session_count", "first_seen", "last_seen", "days_between_first_last",
    ],
    "session_stats": [
        "date", "location_id", "session_count", "identified_session_count", "identified_session_percentage",
        "avg_session_duration", "avg_pageviews_per_session", "sessions_with_attribution_count",
        "sessions_with_utm_count", "sessions_with_referrer_count", "top_utm_source", "top_utm_medium",
        "top_utm_campaign",
    ],
}  # fmt: skip
NEEDED: dict[str, dict[str, Any]] = {
    "user_profile_events": {"user_id": "bob"},
    "user_attribution": {"user_id": "bob"},
    "funnel": {"funnel_id": "visitor_to_customer"},
}


@pytest.mark.parametrize("name", COLUMNS)
def test_an_answer_has_its_columns_and_the_form_that_clients_know(service: Service, name: str) -> None:
    answer = service.get(name, **NEEDED.get(name, {})).json()
    assert [column["name"] for column in answer["meta"]] == COLUMNS[name]
    assert answer.keys() == {"meta", "data", "rows", "rows_before_limit_at_least", "statistics"} - (
        set() if "rows_before_limit_at_least" in answer else {"rows_before_limit_at_least"}
    )
    assert answer["rows"] == len(answer["data"]) > 0
    assert all(list(row) == COLUMNS[name] for row in answer["data"])


def test_events_of_a_person_over_all_their_ids_newest_first(service: Service) -> None:
    for any_id in ("a-1", "ann@shop.example"):
        rows = service.data("user_profile_events", user_id=any_id)
        assert [row["uuid"] for row in rows] == [f"shop-{number}" for number in (6, 5, 4, 3, 2, 1)]
    assert {row["distinct_id"] for row in rows} == {"a-1", "ann@shop.example"}
    assert orjson.loads(rows[1]["properties"])["order"] == "o-1"
    assert [row["uuid"] for row in service.data("user_profile_events", user_id="a-1", limit=2)] == ["shop-6", "shop-5"]
    assert service.data("user_profile_events", user_id="nobody at all") == []


def test_sessions_of_the_person_behind_an_id(service: Service) -> None:
    rows = service.data("user_sessions", distinct_id="a-1")
    assert [row["session_id"] for row in rows] == ["s3", "s2", "s1"]
    last, login, first = rows
    assert (first["entry_referrer"], first["first_utm_source"], first["first_utm_campaign"]) == (
        "https://mail.example/inbox", "news", None,
    )  # fmt: skip
    assert (first["session_duration_seconds"], first["pageview_count"], first["exit_pathname"]) == (120, 2, "/cakes")
    assert (login["became_identified"], login["event_count"], login["last_distinct_id"]) == (1, 3, "ann@shop.example")
    assert (last["browser"], last["timezone"]) == (None, "Europe/Madrid")


def test_sessions_of_all_or_one_or_some_days_page_by_page(service: Service) -> None:
    def ids(**parameters: Any) -> list[str]:
        return [row["session_id"] for row in service.data("user_sessions", **parameters)]

    assert ids() == ["s3", "s4", "s2", "s1"]
    assert ids(session_id="s2") == ["s2"]
    assert ids(limit=2) == ["s3", "s4"]
    assert ids(limit=2, offset=1) == ["s4", "s2"]
    assert ids(limit=1, offset=3) == ["s1"]
    # a day includes that day; a moment is one
    assert ids(date_to="2026-03-04") == ["s2", "s1"]
    assert ids(date_to="2026-03-04 23:59:59") == ["s1"]
    assert ids(date_from="2026-03-05", date_to="2026-03-05") == ["s4"]
    assert ids(date_to="2026-03-05", limit=1) == ["s4"]
    assert ids(date_from="2026-03-05 12:00:01") == ["s3"]
    assert ids(distinct_id="a-1", date_from="2026-03-04", limit=1) == ["s3"]
    assert ids(distinct_id="bob", session_id="s1") == []


def test_sessions_by_where_they_came_from_and_in_any_order(service: Service) -> None:
    def ids(**parameters: Any) -> list[str]:
        return [row["session_id"] for row in service.data("sessions_analytics", **parameters)]

    assert ids(utm_source="news") == ids(utm_medium="email") == ["s1"]
    assert ids(became_identified=1) == ["s2"]
    assert ids(became_identified=0, order_by="session_start", order="asc") == ["s1", "s4", "s3"]
    assert ids(min_duration=60) == ["s2", "s1"]
    assert ids(max_duration=0) == ["s3", "s4"]
    assert ids(order_by="first_utm_source", order="ASC") == ["s3", "s1", "s2", "s4"]  # absent ones last
    row = service.data("sessions_analytics", session_id="s1")[0]
    assert (row["seconds_per_pageview"], row["session_date"]) == (60, "2026-03-02")


def test_attribution_of_a_person_by_any_of_their_ids(service: Service) -> None:
    (row,) = service.data("user_attribution", distinct_id="a-1")
    assert [row] == service.data("user_attribution", user_id="ann@shop.example")
    assert (row["first_utm_source"], row["first_gclid"], row["recent_utm_source"], row["recent_gclid"]) == (
        "news", "G1", "ads", None,
    )  # fmt: skip
    assert (row["first_session_utm_medium"], row["first_session_referring_domain"]) == ("email", "mail.example")
    assert (row["session_count"], row["days_between_first_last"]) == (3, 5)
    assert (row["first_seen"], row["last_seen"]) == ("2026-03-02 10:00:00.000000", "2026-03-07 09:00:00.000000")
    (row,) = service.data("user_attribution", user_id="a-1", date_from="2026-03-03")
    assert (row["first_utm_source"], row["session_count"]) == ("ads", 2)
    assert service.data("user_attribution", user_id="a-1", date_to="2026-03-01") == []
    (row,) = service.data("user_attribution", user_id="bob")
    assert row["first_utm_source"] is None


def test_the_other_endpoints_answer(service: Service) -> None:
    stats = service.data("session_stats", date_to="2026-03-05")
    assert [(row["date"], row["session_count"], row["top_utm_source"]) for row in stats] == [
        ("2026-03-05", 1, None), ("2026-03-04", 1, None), ("2026-03-02", 1, "news"),
    ]  # fmt: skip
    steps = service.data("funnel", funnel_id="visitor_to_customer")
    assert [step["users_count"] for step in steps] == [2, 1, 1]
    assert [step["conversion_from_previous"] for step in steps] == [None, 0.5, 1]
    assert [step["conversion_from_first"] for step in steps] == [1, 0.5, 0.5]
    (cohort,) = [row for row in service.data("retention", date_to="2026-03-02") if row["period_number"] == 3]
    assert (cohort["users_count"], cohort["retained_count"], cohort["retention_rate"]) == (1, 1, 1)
    channels = {row["channel"]: row["session_count"] for row in service.data("top_channels")}
    assert sum(channels.values()) == 4 and channels["Direct"] == 2
    (profile,) = service.data("user_profiles", user_id="a-1")
    assert (profile["user_id"], profile["lifetime_value"], profile["event_count"]) == ("ann@shop.example", 30, 6)
    assert [row["user_id"] for row in service.data("user_profiles", is_identified=0)] == ["bob"]
    days = service.data("location_metrics", limit=1)
    assert (days[0]["date"], days[0]["event_count"], days[0]["session_count"]) == ("2026-03-07", 1, 1)


def test_a_person_by_their_tracking_id_shows_no_other_id(service: Service) -> None:
    (profile,) = service.data("user_profiles", user_id="a-1")
    tracking_id = profile["tracking_id"]
    asked: dict[str, dict[str, Any]] = {
        "user_profile_events": {"user_id": tracking_id},
        "user_sessions": {"distinct_id": tracking_id},
        "sessions_analytics": {"distinct_id": tracking_id, "order_by": "first_utm_source", "order": "ASC"},
        "user_attribution": {"user_id": tracking_id},
        "user_profiles": {"user_id": tracking_id},
    }
    for name, parameters in asked.items():
        plain = service.data(name, **parameters | {key: "a-1" for key in parameters if key.endswith("_id")})
        answer = service.get(name, id_type="tracking_id", **parameters)
        rows = answer.json()["data"]
        assert [column["name"] for column in answer.json()["meta"]] == pipes()[name].columns
        assert len(rows) == len(plain) > 0, name
        # the same rows in the same order
        same = next(c for c in ("timestamp", "session_start", "first_seen") if c in rows[0])
        assert [row[same] for row in rows] == [row[same] for row in plain]
        for inner in ("a-1", "ann@", "ann%40", "s1", "s2", "shop-", "G1"):
            assert f'"{inner}' not in answer.text and f"={inner}" not in answer.text, (name, inner)
    events = service.data("user_profile_events", id_type="tracking_id", user_id=tracking_id)
    assert {row["distinct_id"] for row in events} == {tracking_id}
    assert orjson.loads(events[1]["properties"]) == {"$browser": "Firefox"}
    assert service.data("user_profile_events", id_type="tracking_id", user_id="ann@shop.example") == []


def test_the_other_formats_say_the_same(service: Service) -> None:
    rows = service.data("session_stats")
    assert [orjson.loads(line) for line in service.get("session_stats.ndjson").content.splitlines()] == rows
    read = list(csv.DictReader(io.StringIO(service.get("session_stats.csv").text)))
    assert [row["session_count"] for row in read] == [str(row["session_count"]) for row in rows]
    table = parquet.read_table(io.BytesIO(service.get("session_stats.parquet").content))
    assert table.column_names == COLUMNS["session_stats"]
    assert table.column("session_count").to_pylist() == [row["session_count"] for row in rows]


BAD = [
    ("user_sessions", {"colour": "red"}, "colour"),
    ("user_profile_events", {}, "user_id"),
    ("user_profile_events", {"user_id": ""}, "user_id"),
    ("user_attribution", {}, "user_id and distinct_id"),
    ("user_attribution", {"user_id": "a", "distinct_id": "b"}, "user_id or distinct_id"),
    ("user_sessions", {"limit": "-1"}, "limit"),
    ("user_sessions", {"limit": "99999999999"}, "limit"),
    ("user_sessions", {"limit": "ten"}, "limit"),
    ("user_sessions", {"offset": "-1"}, "offset"),
    ("user_sessions", {"date_from": "yesterday"}, "date_from"),
    ("user_sessions", {"date_to": "2026-02-30"}, "date_to"),
    ("sessions_analytics", {"order_by": "user_id); drop table sessions"}, "order_by"),
    ("sessions_analytics", {"order": "SIDEWAYS"}, "order"),
    ("sessions_analytics", {"became_identified": "yes"}, "became_identified"),
    ("sessions_analytics", {"min_duration": "nan"}, "min_duration"),
    ("session_stats", {"limit": ["1", "2"]}, "limit"),
    ("session_stats", {"id_type": "email"}, "id_type"),
]


@pytest.mark.parametrize(("name", "parameters", "named"), BAD)
def test_what_makes_no_sense_is_told_by_its_name(
    service: Service, name: str, parameters: dict[str, Any], named: str
) -> None:
    answer = service.get(name, **parameters)
    assert answer.status_code == 400
    assert answer.json().keys() == {"error"} and named in answer.json()["error"]


def test_a_request_without_a_tenant_or_for_no_endpoint(service: Service) -> None:
    headers = {"Authorization": f"Bearer {service.keys['shop']}"}
    answer = service.http.get(f"{service.address}/v0/pipes/session_stats.json", headers=headers)
    assert (answer.status_code, "location_id" in answer.json()["error"]) == (400, True)
    answer = service.http.get(f"{service.address}/v0/pipes/nothing.json", headers=headers)
    assert (answer.status_code, answer.json().keys()) == (404, {"error"})


def test_a_dashboard_is_one_object(service: Service) -> None:
    seen = service.get("dashboards/organization").json()
    assert list(seen) == dashboards()["organization"].columns
    assert seen["overview"] == {"total_users": 0, "active_sessions": 0, "mcp_servers": 1, "monthly_tool_calls": 0}
    assert [server["slug"] for server in seen["servers"]] == ["files"]
    server = service.get("dashboards/server", server="files").json()
    assert server["server_info"] == {"name": "Files", "slug": "files", "organization": "Shop", "created": "2026-01-01"}
    assert server["usage_stats"]["success_rate"] is None and server["tool_breakdown"] == []
    for other in ("secrets", "2", "nothing"):
        answer = service.get("dashboards/server", server=other)
        assert (answer.status_code, answer.json().keys()) == (404, {"error"})


def test_an_answer_names_its_build_and_is_not_sent_twice(service: Service) -> None:
    first = service.get("session_stats")
    build_id = publishing.standing(service.warehouse).published.build_id
    assert first.headers["Footfall-Build"] == build_id
    tag = {"Authorization": f"Bearer {service.keys['shop']}", "If-None-Match": first.headers["ETag"]}
    address = f"{service.address}/v0/pipes/session_stats.json"
    again = service.http.get(address, params={"location_id": "shop"}, headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    other = service.http.get(address, params={"location_id": "shop", "limit": 1}, headers=tag)
    assert other.status_code == 200
    with exclusive(service.warehouse, "test"), publishing._Publisher.of(service.warehouse) as publisher:
        entry = publisher._journal.read()
        publisher._journal.write(replace_now(entry, "another build"))
    try:
        fresh = service.http.get(address, params={"location_id": "shop"}, headers=tag)
        assert (fresh.status_code, fresh.headers["Footfall-Build"]) == (200, "another build")
    finally:
        with exclusive(service.warehouse, "test"), publishing._Publisher.of(service.warehouse) as publisher:
            publisher._journal.write(replace_now(publisher._journal.read(), build_id))


def test_the_example_of_the_docs(service: Service) -> None:
    page = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    asked, answer = re.findall(r"curl \"http://127.0.0.1:8000(\S+)\" .*?```json\n(.*?)\n```", page, flags=re.DOTALL)[0]
    told = service.http.get(service.address + asked, headers={"Authorization": f"Bearer {service.keys['shop']}"}).json()
    said = orjson.loads(answer)
    assert said.keys() == told.keys()
    assert all(column in told["meta"] for column in said["meta"])
    assert [{name: row[name] for name in said["data"][0]} for row in told["data"]] == said["data"]
    assert (told["rows"], told["rows_before_limit_at_least"]) == (said["rows"], said["rows_before_limit_at_least"])


def test_while_tables_are_swapped_nothing_is_answered(service: Service) -> None:
    def say(state: State) -> None:
        with exclusive(service.warehouse, "test"), publishing._Publisher.of(service.warehouse) as publisher:
            publisher._journal.write(replace(publisher._journal.read(), state=state))

    say("publishing")
    try:
        answer = service.get("session_stats")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert "being published" in answer.json()["error"]
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(service.get, "session_stats")
            say("published")
            assert waiting.result().status_code == 200  # asked again once that is over
    finally:
        say("published")


def replace_now(entry: Entry, build_id: str) -> Entry:
    return replace(entry, now=Version(build_id, entry.now.project_hash))
