"""Funnels: every sentence of the rule by hand, then any events at all against the rule in plain Python."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.models.macros import macro
from tests.oracle.funnels import FunnelEvent, entries_of
from warehouse.connection import Warehouse

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = 3600

# entry day -> the steps reached, in the order of their numbers: "name event id"
Entries = dict[str, list[str]]
Person = list[FunnelEvent]


def happened(seconds: float, event_id: str, *steps: int) -> FunnelEvent:
    """An event so many seconds after noon, meeting these steps' conditions."""
    return FunnelEvent(int((NOON + timedelta(seconds=seconds)).timestamp() * 1_000_000), event_id, frozenset(steps))


@pytest.fixture(scope="module")
def client(server: Warehouse) -> Iterator[Client]:
    with server.client() as client:
        client.command("CREATE DATABASE funnel_rule")
        client.command(
            "CREATE TABLE funnel_rule.matches (tenant_id String, funnel_id String, user_id String,"
            " step_number UInt16, timestamp DateTime64(6, 'UTC'), event_id String) ENGINE = Memory"
        )
        client.command(
            "CREATE TABLE funnel_rule.funnels (tenant_id String, funnel_id String, mode String,"
            " window_seconds UInt32, step_names Array(String)) ENGINE = Memory"
        )
        yield client
        client.command("DROP DATABASE funnel_rule SYNC")


@pytest.fixture(scope="module")
def warehouse_entries(client: Client) -> Callable[..., list[Entries]]:
    """Runs the very SQL of `funnel_events` on hand-made matches: entries per person."""
    query = macro("funnels.sql", "funnel_entries", "funnel_rule.matches", "funnel_rule.funnels")

    def entries(people: list[Person], window_seconds: int, mode: str) -> list[Entries]:
        rows = []
        for person, events in enumerate(people):
            for event in events:
                # step 0 is how a strict funnel knows of all the events of a person
                for step in {*event.steps, 0} if mode == "strict" else event.steps:
                    rows.append(["t", "f", str(person), step, event.at, event.event_id])
        client.command("TRUNCATE TABLE funnel_rule.matches")
        client.command("TRUNCATE TABLE funnel_rule.funnels")
        client.insert("funnel_rule.funnels", [["t", "f", mode, window_seconds, ["1", "2", "3", "4"]]])
        if rows:
            columns = ["tenant_id", "funnel_id", "user_id", "step_number", "timestamp", "event_id"]
            client.insert("funnel_rule.matches", rows, column_names=columns)
        found: list[Entries] = [defaultdict(list) for _ in people]
        for _, _, user_id, entry_date, step, name, event_id, *_ in sorted(client.query(query).result_rows):
            reached = found[int(user_id)][str(entry_date)]
            reached.append(f"{name} {event_id}")
            assert step == len(reached)
        return found

    return entries


CASES: dict[str, tuple[str, int, Person, Entries]] = {
    "steps in order": (
        "ordered",
        HOUR,
        [happened(0, "a", 1), happened(5, "b", 2), happened(9, "c", 3)],
        {"2026-03-10": ["1 a", "2 b", "3 c"]},
    ),
    "a step before the one that leads to it does not count": (
        "ordered",
        HOUR,
        [happened(0, "b", 2), happened(5, "a", 1), happened(9, "c", 3)],
        {"2026-03-10": ["1 a"]},
    ),
    "without the first step there is no attempt": ("ordered", HOUR, [happened(0, "b", 2)], {}),
    "each step takes the earliest event": (
        "ordered",
        HOUR,
        [happened(0, "a", 1), happened(5, "b1", 2), happened(6, "b2", 2), happened(9, "c", 3)],
        {"2026-03-10": ["1 a", "2 b1", "3 c"]},
    ),
    "equal timestamps are in order, whatever their ids": (
        "ordered",
        HOUR,
        [happened(0, "z", 1), happened(0, "m", 2), happened(0, "a", 3)],
        {"2026-03-10": ["1 z", "2 m", "3 a"]},
    ),
    "the window's end is included": (
        "ordered",
        HOUR,
        [happened(0, "a", 1), happened(HOUR, "b", 2)],
        {"2026-03-10": ["1 a", "2 b"]},
    ),
    "a microsecond after the window's end is too late": (
        "ordered",
        HOUR,
        [happened(0, "a", 1), happened(HOUR + 0.000001, "b", 2)],
        {"2026-03-10": ["1 a"]},
    ),
    "the window counts from the start, not from the step before": (
        "ordered",
        HOUR,
        [happened(0, "a", 1), happened(HOUR - 1, "b", 2), happened(HOUR + 1, "c", 3)],
        {"2026-03-10": ["1 a", "2 b"]},
    ),
    "one event serves one step": (
        "ordered",
        HOUR,
        [happened(0, "a", 1, 2), happened(9, "b", 1, 2)],
        {"2026-03-10": ["1 a", "2 b"]},
    ),
    "one event alone cannot be two steps": ("ordered", HOUR, [happened(0, "a", 1, 2)], {"2026-03-10": ["1 a"]}),
    "at one moment an event that is used already is passed over, whatever its id": (
        "ordered",
        HOUR,
        [happened(0, "a", 2), happened(0, "b", 1, 2, 3), happened(0, "c", 3)],
        {"2026-03-10": ["1 b", "2 a", "3 c"]},
    ),
    "the best attempt has most steps": (
        "ordered",
        HOUR,
        [happened(0, "a1", 1), happened(2 * HOUR, "a2", 1), happened(2 * HOUR + 1, "b", 2)],
        {"2026-03-10": ["1 a2", "2 b"]},
    ),
    "of attempts with as many steps the earliest start is kept": (
        "ordered",
        HOUR,
        [happened(0, "a1", 1), happened(1, "a2", 1), happened(2, "b", 2)],
        {"2026-03-10": ["1 a1", "2 b"]},
    ),
    "of attempts that start together the smallest event id is kept": (
        "ordered",
        HOUR,
        [happened(0, "a2", 1), happened(0, "a1", 1), happened(2, "b", 2)],
        {"2026-03-10": ["1 a1", "2 b"]},
    ),
    "every entry day has its attempt, and one event may serve several": (
        "ordered",
        48 * HOUR,
        [happened(0, "a1", 1), happened(24 * HOUR, "a2", 1), happened(25 * HOUR, "b", 2)],
        {"2026-03-10": ["1 a1", "2 b"], "2026-03-11": ["1 a2", "2 b"]},
    ),
    "the entry day is the day of the start, and midnight cuts nothing": (
        "ordered",
        48 * HOUR,
        [happened(11 * HOUR, "a", 1), happened(13 * HOUR, "b", 2)],
        {"2026-03-10": ["1 a", "2 b"]},
    ),
    "strict: no other event between two steps": (
        "strict",
        HOUR,
        [happened(0, "a", 1), happened(1, "x"), happened(2, "b", 2)],
        {"2026-03-10": ["1 a"]},
    ),
    "strict: events before, after and at the moments of the steps do not matter": (
        "strict",
        HOUR,
        [happened(-1, "w"), happened(0, "x"), happened(0, "a", 1), happened(2, "b", 2), happened(2, "0"),
         happened(3, "y")],
        {"2026-03-10": ["1 a", "2 b"]},
    ),
    "strict: the first step once more is another event, and a better start": (
        "strict",
        HOUR,
        [happened(0, "a1", 1), happened(1, "a2", 1), happened(2, "b", 2)],
        {"2026-03-10": ["1 a2", "2 b"]},
    ),
    "unordered: steps are numbered as they are reached": (
        "unordered",
        HOUR,
        [happened(0, "c", 3), happened(1, "a", 1), happened(2, "b", 2)],
        {"2026-03-10": ["3 c", "1 a", "2 b"]},
    ),
    "unordered: a missing step does not end the attempt": (
        "unordered",
        HOUR,
        [happened(0, "c", 3), happened(2, "b", 2)],
        {"2026-03-10": ["3 c", "2 b"]},
    ),
    "unordered: the window counts from the attempt's first event": (
        "unordered",
        HOUR,
        [happened(0, "c", 3), happened(1, "b", 2), happened(HOUR + 1, "a", 1)],
        {"2026-03-10": ["3 c", "2 b"]},
    ),
    "unordered: the start may serve any step it matches": (
        "unordered",
        HOUR,
        [happened(0, "a", 1, 2), happened(1, "b", 1)],
        {"2026-03-10": ["2 a", "1 b"]},
    ),
    "unordered: at one moment the smaller event id comes first": (
        "unordered",
        HOUR,
        [happened(0, "a", 1), happened(5, "z", 2), happened(5, "b", 3)],
        {"2026-03-10": ["1 a", "3 b", "2 z"]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_rule(case: str, warehouse_entries: Callable[..., list[Entries]]) -> None:
    mode, window, events, expected = CASES[case]
    assert warehouse_entries([events], window, mode) == [expected]


def test_python_says_the_same_of_these_cases() -> None:
    for mode, window, events, expected in CASES.values():
        steps = max((step for event in events for step in event.steps), default=1)
        assert python_entries(events, steps, window, mode) == expected


def python_entries(events: Person, steps: int, window_seconds: int, mode: str) -> Entries:
    return {
        str(day): [f"{step} {event.event_id}" for step, event in attempt]
        for day, attempt in entries_of(events, steps, window_seconds, mode).items()
    }


@st.composite
def people(draw: st.DrawFn, steps: int) -> list[Person]:
    """Some people with a few events each, crowded in time, some of them meeting several steps or none."""
    # few moments, so that many are equal; half days, so that there are several entry days
    moments = st.integers(0, 9).map(lambda moment: moment * 12 * HOUR + (moment % 3))
    event = st.tuples(moments, st.sets(st.integers(1, steps), max_size=steps))
    everybody = draw(st.lists(st.lists(event, max_size=9), min_size=1, max_size=6))
    return [
        [happened(moment, f"{(7 * number) % 10}{number}", *met) for number, (moment, met) in enumerate(events)]
        for events in everybody
    ]


@pytest.mark.parametrize("mode", ["ordered", "strict", "unordered"])
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_events_give_what_the_rule_gives(
    mode: str, warehouse_entries: Callable[..., list[Entries]], data: st.DataObject
) -> None:
    steps = data.draw(st.integers(1, 4), label="steps")
    everybody = data.draw(people(steps), label="people")
    window = data.draw(st.sampled_from([1, HOUR, 12 * HOUR, 24 * HOUR + 1, 400 * HOUR]), label="window")
    expected = [python_entries(events, steps, window, mode) for events in everybody]
    assert warehouse_entries(everybody, window, mode) == expected
