"""Retention: who came back, by the period in which they came first."""

from collections import defaultdict
from datetime import date, timedelta

from tests.oracle.filters import matches
from tests.oracle.identity import Identities, person
from tests.oracle.project import seed, var
from tests.oracle.reading import Event, Row, text_of

FIELDS = ("name", "target_event", "target_filter", "return_event", "return_filter", "kind", "period")
COHORT_DAYS = (1, 7, 14, 30, 60, 90)
MOST_PERIODS = {
    "day": var("retention_max_days"),
    "week": var("retention_max_weeks"),
    "month": var("retention_max_months"),
}


def period_number(day: date, period: str) -> int:
    """Periods counted from some beginning; weeks start on Monday."""
    if period == "month":
        return day.year * 12 + day.month - 1
    return day.toordinal() if period == "day" else (day.toordinal() - 1) // 7  # ordinal 1 is a Monday


def first_day(number: int, period: str) -> date:
    """The day on which a period begins."""
    if period == "month":
        return date(number // 12, number % 12 + 1, 1)
    return date.fromordinal(number if period == "day" else number * 7 + 1)


def latest_definitions(loaded: list[tuple[int, int, Row]]) -> dict[tuple[str, str], Row]:
    """By tenant ('' is all) and id: what the latest load says, within a file the last line; deletions included."""
    definitions = {}
    for row in [*seed("retention_definitions_default"), *(row for _, _, row in sorted(loaded, key=lambda at: at[:2]))]:
        definitions[text_of(row.get("tenant_id")), row["retention_id"]] = row
    return definitions


def definition_rows(loaded: list[tuple[int, int, Row]]) -> list[Row]:
    """The table `retention_definitions`."""
    return [
        {"tenant_id": tenant_id, "retention_id": retention_id, **{name: row.get(name) or "" for name in FIELDS}}
        for (tenant_id, retention_id), row in latest_definitions(loaded).items()
        if text_of(row.get("is_deleted")) != "1"
    ]


def holding_definitions(loaded: list[tuple[int, int, Row]], tenants: set[str]) -> list[Row]:
    """The definitions as they hold for each tenant: its own, or none if it dropped it, before the one for all."""
    latest = latest_definitions(loaded)
    rows = []
    for tenant_id in tenants:
        for retention_id in {retention_id for _, retention_id in latest}:
            held = latest.get((tenant_id, retention_id)) or latest.get(("", retention_id))
            if held and text_of(held.get("is_deleted")) != "1":
                rows.append(
                    {"tenant_id": tenant_id, "retention_id": retention_id}
                    | {name: held.get(name) or "" for name in FIELDS}
                )
    return rows


def retention_rows(
    events: list[Event], known: Identities, definitions: list[Row], last_days: dict[str, date]
) -> list[Row]:
    """The table `retention`."""
    rows = []
    for definition in definitions:
        tenant_id, period = definition["tenant_id"], definition["period"]
        targets, returns = defaultdict(set), defaultdict(set)  # by person: the periods in which they did it
        for event in events:
            user_id = person(event, known)
            if event["tenant_id"] == tenant_id and user_id:
                number = period_number(event["event_date"], period)
                if matches(event, definition["target_event"], definition["target_filter"]):
                    targets[user_id].add(number)
                if matches(event, definition["return_event"], definition["return_filter"]):
                    returns[user_id].add(number)
        cohorts = defaultdict(set)
        for user_id, numbers in targets.items():
            for number in [min(numbers)] if definition["kind"] == "first_time" else numbers:
                cohorts[number].add(user_id)
        last = period_number(last_days[tenant_id], period)
        for cohort, people in cohorts.items():
            for after in range(min(last - cohort, MOST_PERIODS[period]) + 1):
                retained = [user_id for user_id in people if after == 0 or cohort + after in returns[user_id]]
                rows.append(
                    {
                        "tenant_id": tenant_id,
                        "retention_id": definition["retention_id"],
                        "cohort_date": first_day(cohort, period),
                        "period_number": after,
                        "users_count": len(people),
                        "retained_count": len(retained),
                        "is_complete": cohort + after < last,
                    }
                )
    return rows


def cohort_rows(retention: list[Row], definitions: list[Row], last_days: dict[str, date]) -> list[Row]:
    """The table `retention_cohorts`: the definition `daily`, the days side by side."""
    daily = {
        definition["tenant_id"]
        for definition in definitions
        if definition["retention_id"] == "daily" and definition["period"] == "day"
    }
    cells = {
        (row["tenant_id"], row["cohort_date"], row["period_number"]): row
        for row in retention
        if row["retention_id"] == "daily" and row["tenant_id"] in daily
    }
    return [
        {
            "tenant_id": tenant_id,
            "cohort_date": cohort_date,
            "users_count": row["users_count"],
            **{
                f"day_{after}_count": cells[tenant_id, cohort_date, after]["retained_count"]
                if cohort_date + timedelta(days=after) <= last_days[tenant_id]
                else None
                for after in COHORT_DAYS
            },
        }
        for (tenant_id, cohort_date, number), row in cells.items()
        if number == 0
    ]
