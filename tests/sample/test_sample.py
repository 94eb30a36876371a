"""The bundled sample is the same each time and holds every trait that the demo is there to show."""

import csv
import gzip
import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from sample.assistant import write_assistant
from sample.generate import SampleFiles, write_sample


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of any sample file that can be read at all, under the names the file itself uses."""
    if path.suffix == ".parquet":
        return [{k: v for k, v in row.items() if v is not None} for row in pq.read_table(path).to_pylist()]
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return [{k: v for k, v in row.items() if v} for row in csv.DictReader(file)]
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = []
    for line in text.splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            rows.append({})
    return rows


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> SampleFiles:
    return write_sample(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def by_tenant(files: SampleFiles) -> dict[str, list[dict[str, Any]]]:
    result: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in files.events:
        result[path.name.split(".")[0].split("-")[0]] += rows_of(path)
    return result


@pytest.fixture(scope="module")
def lisbon(by_tenant: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [row for row in by_tenant["lisbon"] if isinstance(row.get("properties"), dict)]


def moment(row: dict[str, Any], column: str) -> datetime:
    return datetime.fromisoformat(row[column]).replace(tzinfo=UTC)


def test_the_same_bytes_each_time(files: SampleFiles, tmp_path: Path) -> None:
    again = write_sample(tmp_path)
    for kind, paths in vars(files).items():
        for first, second in zip(paths, getattr(again, kind), strict=True):
            assert first.name == second.name
            assert first.read_bytes() == second.read_bytes(), first.name


def test_four_tenants_in_four_formats_of_some_ten_thousand_events(
    files: SampleFiles, by_tenant: dict[str, list[dict[str, Any]]]
) -> None:
    assert {"".join(path.suffixes) for path in files.events} == {".ndjson", ".csv", ".parquet", ".ndjson.gz"}
    assert set(by_tenant) == {"lisbon", "porto", "madrid", "london"}
    assert 30_000 <= sum(map(len, by_tenant.values())) <= 50_000
    assert by_tenant["porto"][0]["location_id"] == "porto"
    assert by_tenant["madrid"][0]["organization_id"] == "madrid"
    assert by_tenant["london"][0]["project_id"] == "london"


def test_it_spans_thirty_days_that_end_on_a_fixed_date(lisbon: list[dict[str, Any]]) -> None:
    days = {moment(row, "timestamp").date().isoformat() for row in lisbon}
    assert (min(days), max(days), len(days)) == ("2026-10-02", "2026-10-31", 30)


def test_fewer_than_one_line_in_a_hundred_is_broken(by_tenant: dict[str, list[dict[str, Any]]]) -> None:
    broken = [row for row in by_tenant["lisbon"] if not row or str(row.get("uuid", "")).startswith("broken")]
    assert len(broken) == 9
    assert sum(row.get("event_id", "").startswith("broken") for row in by_tenant["porto"]) == 4
    assert sum(row["event_id"].startswith("broken") for row in by_tenant["madrid"] if "event_id" in row) == 3
    for name in ("lisbon", "porto", "madrid", "london"):
        assert len(by_tenant[name]) > 100 * len(broken)


def test_logins_merges_and_ids_that_mean_nobody(lisbon: list[dict[str, Any]]) -> None:
    events = Counter(row["event"] for row in lisbon)
    assert events["$identify"] > 100
    assert events["$create_alias"] == 2
    assert events["$merge_dangerously"] == 3
    assert {"null", "anonymous", "NULL"} <= {row["distinct_id"] for row in lisbon}
    assert any(row["properties"].get("$anon_distinct_id") == "null" for row in lisbon)
    sets = [row["properties"] for row in lisbon if "$set" in row["properties"] and "$set_once" in row["properties"]]
    assert len(sets) > 100


def test_a_shared_tablet_two_customers_and_many_people_on_several_devices(lisbon: list[dict[str, Any]]) -> None:
    logins = [row for row in lisbon if row["event"] == "$identify"]
    on_tablet = {r["distinct_id"] for r in logins if r["properties"]["$anon_distinct_id"] == "tablet-counter-1"}
    assert on_tablet == {"cust-0021", "cust-0022"}
    devices = defaultdict(set)
    for row in logins:
        devices[row["distinct_id"]].add(row["properties"]["$anon_distinct_id"])
    assert sum(len(ids) > 1 for ids in devices.values()) >= 20


def test_equal_customer_numbers_in_two_tenants(by_tenant: dict[str, list[dict[str, Any]]]) -> None:
    porto = {row.get("user_id") for row in by_tenant["porto"]}
    london = {row.get("user_id") for row in by_tenant["london"]}
    assert len((porto & london) - {None}) > 20


def test_events_that_carry_both_ids_and_server_events_without_a_session(
    by_tenant: dict[str, list[dict[str, Any]]],
) -> None:
    for name in ("porto", "london"):
        assert sum("user_id" in row and "anonymous_id" in row for row in by_tenant[name]) > 100
        server = [row for row in by_tenant[name] if "session_id" not in row and "device_id" not in row]
        assert sum("user_id" in row for row in server) > 30
    assert all("event_id" not in row for row in by_tenant["porto"] if row.get("device_id") == "till-porto")


def test_late_events_and_resent_lines(files: SampleFiles, lisbon: list[dict[str, Any]]) -> None:
    late = [
        r for r in lisbon if "received_at" in r and moment(r, "received_at") - moment(r, "timestamp") > timedelta(1)
    ]
    assert 0.005 < len(late) / len(lisbon) < 0.05
    times = Counter(row["uuid"] for row in lisbon if "uuid" in row)
    assert sum(count > 1 for count in times.values()) > 50
    weeks = [{row.get("uuid") for row in rows_of(path)} - {None} for path in files.events if "lisbon" in path.name]
    assert any(first & second for first, second in pairwise(weeks))


def test_sessions_over_midnight_and_a_session_id_that_goes_on_for_days(lisbon: list[dict[str, Any]]) -> None:
    spans: dict[str, list[datetime]] = defaultdict(list)
    for row in lisbon:
        if session_id := row["properties"].get("$session_id"):
            spans[session_id].append(moment(row, "timestamp"))
    assert sum(min(span).date() != max(span).date() for span in spans.values()) >= 5
    screen = spans["menu-screen-on-the-wall"]
    assert max(screen) - min(screen) > timedelta(hours=48)


def test_campaigns_click_ids_and_referrers(by_tenant: dict[str, list[dict[str, Any]]]) -> None:
    pages = [row for row in by_tenant["london"] if row.get("event") == "page"]
    mediums = {row.get("utm_medium") for row in pages}
    assert {"cpc", "paid_social", "email", "affiliate", "display", "qr", None} == mediums
    for click_id in ("gclid", "fbclid", "msclkid", "ttclid"):
        assert any(click_id in row for row in pages), click_id
    domains = {row.get("referring_domain") for row in pages}
    assert {"www.google.com", "www.instagram.com", "food-map.example"} <= domains


def test_purchases_tool_calls_and_drop_offs(lisbon: list[dict[str, Any]]) -> None:
    events = Counter(row["event"] for row in lisbon)
    people = {
        step: {r["distinct_id"] for r in lisbon if r["event"] == step} for step in ("signed_up", "order_completed")
    }
    assert len(people["signed_up"]) > len(people["signed_up"] & people["order_completed"]) > 20
    assert events["product_added"] > events["checkout_started"] > events["order_completed"] > 50
    orders = [row["properties"] for row in lisbon if row["event"] == "order_completed"]
    assert all(("revenue" in order and order["currency"] == "EUR") == (order["status"] == "paid") for order in orders)
    assert {order["status"] for order in orders} == {"paid", "declined"}
    assert events["tool_call"] > 100


def test_people_come_back_less_and_less(lisbon: list[dict[str, Any]]) -> None:
    days: dict[str, set[int]] = defaultdict(set)
    for row in lisbon:
        if device := row["properties"].get("$device_id"):
            days[device].add(moment(row, "timestamp").toordinal())

    def share_back_after(days_later: int) -> float:
        last = datetime(2026, 10, 31, tzinfo=UTC).toordinal()
        cohort = [seen for seen in days.values() if min(seen) + days_later <= last]
        return sum(min(seen) + days_later in seen for seen in cohort) / len(cohort)

    assert 0.04 < share_back_after(7) < share_back_after(1) < 0.3


def test_the_mapping_file(files: SampleFiles) -> None:
    [path] = files.identity_mappings
    rows = rows_of(path)
    assert sum(row["kind"] == "link" for row in rows) > 40
    assert [row["anonymous_id"] for row in rows if row["kind"] == "merge"] == ["crm-90003"]
    assert [row["anonymous_id"] for row in rows if "tenant_id" not in row] == ["loyalty-kiosk-77"]
    lent = [row for row in rows if row["anonymous_id"] == "phone-lent-to-a-friend"]
    withdrawn_at = {row["is_deleted"]: row["created_at"] for row in lent}
    assert withdrawn_at["1"] > withdrawn_at["0"]


def test_the_assistants_tables_have_people_who_left(tmp_path: Path) -> None:
    tables = write_assistant(tmp_path)
    assert [path.read_bytes() for path in write_assistant(tmp_path).values()] == [
        path.read_bytes() for path in tables.values()
    ]
    calls = rows_of(tables["mcp_tool_calls"])
    last = {call["mcp_server_user_id"].rpartition("_")[2]: call["created_at"] for call in calls}
    assert len(last) == 9 and last["liam"] < "2026-10-24" < last["ines"]
    emails = [row["email"] for row in rows_of(tables["mcp_server_user"])]
    assert len(emails) == 18 and len(set(emails)) == 9


def test_definitions_show_every_mode(files: SampleFiles, lisbon: list[dict[str, Any]]) -> None:
    funnels, retention = rows_of(files.funnels[0]), rows_of(files.retention_definitions[0])
    steps: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in funnels:
        steps[row["tenant_id"], row["funnel_id"]].append(int(row["step_number"]))
        assert isinstance(json.loads(row.get("event_filter", "{}")), dict)
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in steps.values())
    assert {row["mode"] for row in funnels} == {"ordered", "strict", "unordered"}
    assert {row["event"] for row in funnels} <= {row["event"] for row in lisbon}
    # nobody else's tenants get them
    assert {row["tenant_id"] for row in [*funnels, *retention]} == {"lisbon", "porto", "madrid", "london"}
    assert ("weekly_orders", "recurring", "week") in {(r["retention_id"], r["kind"], r["period"]) for r in retention}
