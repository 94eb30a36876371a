"""The benchmark generator: the same files for the same seed, however many days are written, with realistic trouble."""

import csv
import gzip
import json
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from benchmarks.generate import write_days, write_mapping_days
from benchmarks.hot import KINDS

FIRST_DAY = date(2026, 2, 27)
DAYS = 12


def write(folder: Path, days: int = DAYS, **options: Any) -> list[Path]:
    size: dict[str, Any] = {"events_per_day": 3000, "first_day": FIRST_DAY} | options
    return write_days(folder, days=days, **size)


def events_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write(tmp_path_factory.mktemp("benchmark"))


@pytest.fixture(scope="module")
def events(paths: list[Path]) -> list[dict[str, Any]]:
    return [event for path in paths for event in events_in(path)]


def test_a_file_per_day_in_the_layout_of_a_landing_folder(paths: list[Path]) -> None:
    assert [path.parts[-3:] for path in paths[:3]] == [
        ("events", day, "events.ndjson") for day in ("2026-02-27", "2026-02-28", "2026-03-01")
    ]
    assert len(paths) == DAYS


def test_few_days_are_the_beginning_of_many(paths: list[Path], tmp_path: Path) -> None:
    for path, same in zip(write(tmp_path, days=3), paths, strict=False):
        assert path.read_bytes() == same.read_bytes()


def test_a_later_night_alone_is_the_same_file(paths: list[Path], tmp_path: Path) -> None:
    [night] = write(tmp_path, from_day=DAYS - 1)
    assert night.read_bytes() == paths[-1].read_bytes()


@pytest.mark.parametrize("hot", KINDS)
def test_a_hot_key_has_a_large_part_of_the_same_events(events: list[dict[str, Any]], tmp_path: Path, hot: str) -> None:
    heated = [event for path in write(tmp_path, hot=hot) for event in events_in(path)]
    assert sorted(event["uuid"] for event in heated) == sorted(event["uuid"] for event in events)
    share = {
        "person": lambda event: event["distinct_id"] == "user-hot",
        "session": lambda event: event["properties"].get("$session_id") == "session-hot",
        "device": lambda event: event["properties"].get("$device_id") == "device-hot",
        "server": lambda event: event["properties"].get("$device_id") == "server-hot",
        "anonymous_ids": lambda event: event.get("user_id") == "user-hot",
        "tenant": lambda event: event["tenant_id"] == "location-1",
        "event_names": lambda event: event["event"].endswith(event["uuid"]),
    }
    least = {
        "person": 0.2, "session": 0.3, "device": 0.45, "server": 0.45, "anonymous_ids": 0.2, "tenant": 0.9,
        "event_names": 0.35,
    }  # fmt: skip
    assert sum(map(share[hot], heated)) > least[hot] * len(heated)


def test_another_seed_is_another_business(paths: list[Path], tmp_path: Path) -> None:
    [other] = write(tmp_path, days=1, seed=2)
    assert other.read_bytes() != paths[0].read_bytes()


def test_gzip_holds_the_same_lines_in_the_same_bytes(paths: list[Path], tmp_path: Path) -> None:
    [first] = write(tmp_path / "a", days=1, format="ndjson.gz")
    [second] = write(tmp_path / "b", days=1, format="ndjson.gz")
    assert first.read_bytes() == second.read_bytes()
    assert gzip.decompress(first.read_bytes()) == paths[0].read_bytes()


def test_a_day_holds_what_arrived_on_it(paths: list[Path]) -> None:
    for path in paths:
        assert {event["received_at"][:10] for event in events_in(path)} == {path.parent.name}


def test_as_many_events_as_asked_for_some_late_some_twice(events: list[dict[str, Any]]) -> None:
    times = Counter(event["uuid"] for event in events)
    assert 0.98 < len(times) / (3000 * DAYS) <= 1.0  # some of the last days' arrive after the end
    assert 0.003 < sum(count == 2 for count in times.values()) / len(times) < 0.007
    late = [event for event in events if event["received_at"][:10] > event["timestamp"][:10]]
    assert 0.008 < len(late) / len(events) < 0.025
    assert all(event["received_at"] > event["timestamp"] for event in events)


def test_three_tenants_that_share_customer_numbers(events: list[dict[str, Any]]) -> None:
    sizes = Counter(event["tenant_id"] for event in events)
    assert [tenant for tenant, _ in sizes.most_common()] == ["location-1", "location-2", "location-3"]
    users = defaultdict(set)
    for event in events:
        if event["distinct_id"].startswith("user-"):
            users[event["tenant_id"]].add(event["distinct_id"])
    assert users["location-1"] & users["location-2"]


def test_logins_several_devices_shared_ones_and_merges(events: list[dict[str, Any]]) -> None:
    devices, people = defaultdict(set), defaultdict(set)
    for event in events:
        if event["event"] == "$identify":
            device = event["properties"]["$anon_distinct_id"]
            people[event["tenant_id"], device].add(event["distinct_id"])
            devices[event["tenant_id"], event["distinct_id"]].add(device)
            assert device == event["properties"]["$device_id"]
    assert sum(len(ids) > 1 for ids in devices.values()) >= 5
    merges = [event for event in events if event["event"] in ("$create_alias", "$merge_dangerously")]
    assert merges
    assert all(event["properties"]["alias"] == f"{event['distinct_id']}-old" for event in merges)


def test_people_come_back_and_sessions_cross_midnight(events: list[dict[str, Any]]) -> None:
    days, sessions = defaultdict(set), defaultdict(set)
    for event in events:
        days[event["tenant_id"], event["properties"].get("$device_id")].add(event["timestamp"][:10])
        sessions[event["properties"].get("$session_id")].add(event["timestamp"][:10])
    assert sum(len(seen) > 2 for seen in days.values()) > 50
    assert sum(len(seen) == 2 for seen in sessions.values()) >= 2
    assert any(event["properties"].get("$session_id") is None for event in events)


def test_mapping_files_link_merge_and_withdraw(tmp_path: Path) -> None:
    size: dict[str, Any] = {"events_per_day": 40_000, "first_day": FIRST_DAY}
    paths = write_mapping_days(tmp_path / "all", days=6, **size)
    [last] = write_mapping_days(tmp_path / "last", days=6, from_day=5, **size)
    assert last.read_bytes() == paths[-1].read_bytes()
    standing: set[tuple[str, str]] = set()
    withdrawn, kinds = 0, set()
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                kinds.add(row["kind"])
                link = (row["anonymous_id"], row["user_id"])
                if row["is_deleted"] == "1":
                    assert link in standing
                    withdrawn += 1
                standing.add(link)
    assert kinds == {"link", "merge"}
    assert withdrawn >= 3


def test_the_command_line_writes_both_kinds_of_files(tmp_path: Path) -> None:
    options = ["--events", "600", "--days", "2", "--tenants", "1", "--out", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.generate", *options], capture_output=True, text=True, check=True
    )
    assert "2 event files" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events", "identity_mappings"]


def test_a_request_without_sense_is_refused(tmp_path: Path) -> None:
    options = ["--events", "1", "--days", "2", "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, "-m", "benchmarks.generate", *options], capture_output=True, text=True)
    assert done.returncode == 2
    assert "at least one event a day" in done.stderr
