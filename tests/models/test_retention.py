"""Retention: every sentence of the rule by hand, then any days at all against the rule in plain Python."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.models.macros import macro
from warehouse.connection import Warehouse

# How far cohorts are followed; small, so that the limits are met often.
LIMITS = {"day": 9, "week": 4, "month": 3}
VARS = {"retention_max_days": LIMITS["day"], "retention_max_weeks": LIMITS["week"], "retention_max_months": 3}

# per person: (day, did the target event, did the return event)
Person = list[tuple[date, bool, bool]]
# (first day of the cohort's period, period number) -> people
Cells = dict[tuple[date, int], int]


def first_day(day: date, period: str) -> date:
    if period == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == "month" else day


def periods_between(start: date, end: date, period: str) -> int:
    if period == "month":
        return (end.year - start.year) * 12 + end.month - start.month
    return (end - start).days // (7 if period == "week" else 1)


def cells_of(people: list[Person], kind: str, period: str) -> Cells:
    """The rule, sentence by sentence."""
    cells: Counter[tuple[date, int]] = Counter()
    for person in people:
        targets = sorted({first_day(day, period) for day, is_target, _ in person if is_target})
        returns = {first_day(day, period) for day, _, is_return in person if is_return}
        for cohort in targets[:1] if kind == "first_time" else targets:
            cells[cohort, 0] += 1
            for back in returns:
                number = periods_between(cohort, back, period)
                if 1 <= number <= LIMITS[period]:
                    cells[cohort, number] += 1
    return dict(cells)


@pytest.fixture(scope="module")
def client(server: Warehouse) -> Iterator[Client]:
    with server.client() as client:
        client.command("create database retention_rule")
        client.command(
            "create table retention_rule.activity (tenant_id String, retention_id String, kind String, period String,"
            " user_id String, date Date, sign Int8, is_target UInt8, is_return UInt8) engine = Memory"
        )
        yield client
        client.command("drop database retention_rule sync")


@pytest.fixture(scope="module")
def warehouse_cells(client: Client) -> Callable[..., Cells]:
    """Runs the very SQL of `changed_retention_moves`: the cells of `people`, less those of `before`."""
    query = macro("retention.sql", "retention_cells", "retention_rule.activity", **VARS)

    def cells(people: list[Person], kind: str, period: str, before: list[Person] | None = None) -> Cells:
        rows = [
            ["t", "r", kind, period, f"u{number}", day, sign, is_target, is_return]
            for sign, image in ((1, people), (-1, before or []))
            for number, person in enumerate(image)
            for day, is_target, is_return in person
        ]
        client.command("truncate table retention_rule.activity")
        if rows:
            client.insert("retention_rule.activity", rows)
        return {(cohort, number): count for _, _, cohort, number, count in client.query(query).result_rows}

    return cells


def both(*days: str) -> Person:
    return [(date.fromisoformat(day), True, True) for day in days]


def test_a_persons_cohort_is_the_day_of_their_first_target_event_ever(warehouse_cells: Callable[..., Cells]) -> None:
    found = warehouse_cells([both("2026-03-05", "2026-03-02", "2026-03-03"), both("2026-03-05")], "first_time", "day")
    assert found == {
        (date(2026, 3, 2), 0): 1,
        (date(2026, 3, 2), 1): 1,
        (date(2026, 3, 2), 3): 1,
        (date(2026, 3, 5), 0): 1,
    }


def test_recurring_people_are_in_the_cohort_of_every_period(warehouse_cells: Callable[..., Cells]) -> None:
    found = warehouse_cells([both("2026-03-02", "2026-03-03")], "recurring", "day")
    assert found == {(date(2026, 3, 2), 0): 1, (date(2026, 3, 2), 1): 1, (date(2026, 3, 3), 0): 1}


def test_weeks_start_on_monday(warehouse_cells: Callable[..., Cells]) -> None:
    # 2026-03-01 is a Sunday, 2026-03-02 a Monday
    found = warehouse_cells([both("2026-03-01", "2026-03-02", "2026-03-08", "2026-03-09")], "first_time", "week")
    assert found == {(date(2026, 2, 23), 0): 1, (date(2026, 2, 23), 1): 1, (date(2026, 2, 23), 2): 1}


def test_months_are_calendar_months_over_the_years_end(warehouse_cells: Callable[..., Cells]) -> None:
    found = warehouse_cells([both("2025-12-31", "2026-01-01", "2026-02-28")], "first_time", "month")
    assert found == {(date(2025, 12, 1), 0): 1, (date(2025, 12, 1), 1): 1, (date(2025, 12, 1), 2): 1}


def test_period_0_is_the_cohort_whether_they_returned_or_not(warehouse_cells: Callable[..., Cells]) -> None:
    person = [(date(2026, 3, 2), True, False), (date(2026, 3, 4), False, True)]
    found = warehouse_cells([person], "first_time", "day")
    assert found == {(date(2026, 3, 2), 0): 1, (date(2026, 3, 2), 2): 1}


def test_a_return_before_the_cohort_is_none(warehouse_cells: Callable[..., Cells]) -> None:
    person = [(date(2026, 3, 1), False, True), (date(2026, 3, 2), True, False)]
    assert warehouse_cells([person], "first_time", "day") == {(date(2026, 3, 2), 0): 1}


def test_who_never_did_the_target_event_is_in_no_cohort(warehouse_cells: Callable[..., Cells]) -> None:
    assert warehouse_cells([[(date(2026, 3, 1), False, True)]], "recurring", "week") == {}


def test_cohorts_are_followed_up_to_the_limit_and_not_beyond(warehouse_cells: Callable[..., Cells]) -> None:
    found = warehouse_cells([both("2026-03-01", "2026-03-10", "2026-03-11")], "first_time", "day")
    assert found == {(date(2026, 3, 1), 0): 1, (date(2026, 3, 1), 9): 1}


DAYS = st.dates(date(2025, 12, 20), date(2026, 1, 20)) | st.dates(date(2025, 10, 1), date(2026, 4, 30))
PEOPLE = st.lists(st.lists(st.tuples(DAYS, st.booleans(), st.booleans()), max_size=8), max_size=5)


@given(
    people=PEOPLE,
    before=PEOPLE,
    kind=st.sampled_from(["first_time", "recurring"]),
    period=st.sampled_from(list(LIMITS)),
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_days_at_all(
    warehouse_cells: Callable[..., Cells], people: list[Person], before: list[Person], kind: str, period: str
) -> None:
    assert warehouse_cells(people, kind, period) == cells_of(people, kind, period)
    moved = Counter(cells_of(people, kind, period))
    moved.subtract(cells_of(before, kind, period))
    assert warehouse_cells(people, kind, period, before) == {cell: count for cell, count in moved.items() if count}
