"""Funnels: how far people come on a way of several steps."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from tests.oracle.filters import matches
from tests.oracle.identity import Identities, person
from tests.oracle.project import seed, var
from tests.oracle.quantiles import quantile
from tests.oracle.reading import Event, Row, text_of

MICROSECONDS = 1_000_000


@dataclass(frozen=True, order=True)
class FunnelEvent:
    """One event of one person: when (microseconds since 1970), its id, and the steps whose conditions it meets."""

    at: int
    event_id: str
    steps: frozenset[int] = frozenset()


# What an attempt reached: (step of the definition, event), the event that started it first.
Attempt = list[tuple[int, FunnelEvent]]


def day_of(event: FunnelEvent) -> date:
    """The UTC day of an event."""
    return datetime.fromtimestamp(event.at // MICROSECONDS, UTC).date()


def attempts_of(events: list[FunnelEvent], steps: int, window_seconds: int, mode: str) -> list[Attempt]:
    """All attempts of a person at a funnel of `steps` steps."""
    if mode == "unordered":
        starts = [(step, event) for event in events for step in event.steps]
    else:
        starts = [(1, event) for event in events if 1 in event.steps]
    return [_attempt(start, events, steps, window_seconds, mode) for start in starts]


def _attempt(
    start: tuple[int, FunnelEvent], events: list[FunnelEvent], steps: int, window_seconds: int, mode: str
) -> Attempt:
    attempt = [start]
    for step in range(1, steps + 1):
        if step == start[0]:
            continue
        previous = start[1] if mode == "unordered" else attempt[-1][1]
        used = [event for _, event in attempt]
        candidates = [e for e in events if step in e.steps and e.at >= previous.at and e not in used]
        found = min(candidates, key=lambda e: (e.at, e.event_id), default=None)
        if (
            found is not None
            and found.at <= start[1].at + window_seconds * MICROSECONDS
            and not (mode == "strict" and any(previous.at < other.at < found.at for other in events))
        ):
            attempt.append((step, found))
        elif mode != "unordered":
            break
    return attempt


def entries_of(events: list[FunnelEvent], steps: int, window_seconds: int, mode: str) -> dict[date, Attempt]:
    """The best attempt of each entry day, its steps in the order of their numbers: as they were reached."""
    best: dict[date, Attempt] = {}

    def rank(attempt: Attempt) -> tuple[int, int, str, int]:
        step, start = attempt[0]
        return -len(attempt), start.at, start.event_id, step

    for attempt in attempts_of(events, steps, window_seconds, mode):
        day = day_of(attempt[0][1])
        if day not in best or rank(attempt) < rank(best[day]):
            best[day] = attempt
    if mode == "unordered":
        return {day: sorted(attempt, key=lambda reached: reached[1]) for day, attempt in best.items()}
    return best


def step_rows(loaded: list[tuple[int, int, Row]], tenants: set[str]) -> list[Row]:
    """The table `funnel_steps` out of (load, line, row): the definitions as they hold for each tenant with events."""
    definitions: dict[tuple[str, str], dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for load, _, row in [*((0, 0, row) for row in seed("funnel_definitions")), *sorted(loaded, key=lambda at: at[:2])]:
        definitions[text_of(row.get("tenant_id")), row["funnel_id"]][load].append(row)
    # of several loads the latest holds, as a whole
    latest = {key: loads[max(loads)] for key, loads in definitions.items()}
    rows = []
    for tenant_id in tenants | {tenant_id for tenant_id, _ in latest if tenant_id}:
        for funnel_id in {funnel_id for _, funnel_id in latest}:
            # a tenant's own before the one for all tenants
            held = latest.get((tenant_id, funnel_id))
            if held is None and tenant_id in tenants:
                held = latest.get(("", funnel_id))
            if held and not any(text_of(row.get("is_deleted")) == "1" for row in held):
                rows += _steps(tenant_id, funnel_id, held)
    return rows


def _steps(tenant_id: str, funnel_id: str, held: list[Row]) -> list[Row]:
    by_number = {int(row["step_number"]): row for row in held}  # of one step the last line
    steps = [by_number[number] for number in sorted(by_number)]
    first = steps[0]
    return [
        {
            "tenant_id": tenant_id,
            "funnel_id": funnel_id,
            "step_number": number,
            "name": first.get("name") or funnel_id,
            "step_name": step.get("step_name") or step.get("event") or "any event",
            "event": step.get("event") or "",
            "event_filter": step.get("event_filter") or "",
            "window_seconds": int(first.get("window_seconds") or 0) or var("default_funnel_window_seconds"),
            "mode": first.get("mode") or "ordered",
        }
        for number, step in enumerate(steps, start=1)
    ]


def funnel_rows(events: list[Event], known: Identities, steps: list[Row]) -> list[Row]:
    """The table `funnel_events`."""
    of_people = defaultdict(list)
    for event in events:
        if user_id := person(event, known):
            of_people[event["tenant_id"], user_id].append(event)
    rows = []
    for (tenant_id, funnel_id), of_funnel in _by_funnel(steps).items():
        for (of_tenant, user_id), of_person in of_people.items():
            if of_tenant == tenant_id:
                entries = entries_of(
                    [_funnel_event(event, of_funnel) for event in of_person],
                    len(of_funnel),
                    of_funnel[0]["window_seconds"],
                    of_funnel[0]["mode"],
                )
                for entry_date, attempt in entries.items():
                    key = {"tenant_id": tenant_id, "funnel_id": funnel_id, "user_id": user_id, "entry_date": entry_date}
                    rows += [key | reached for reached in _reached(attempt, of_funnel)]
    return rows


def _reached(attempt: Attempt, of_funnel: list[Row]) -> list[Row]:
    """The steps that an attempt reached; step k is the k-th in time, whichever of an unordered funnel it was."""
    times = [event.at for _, event in attempt]
    return [
        {
            "step_number": place,
            "step_name": of_funnel[step - 1]["step_name"],
            "event_id": event.event_id,
            "timestamp": datetime.fromtimestamp(0, UTC) + timedelta(microseconds=event.at),
            "seconds_from_previous": None if place == 1 else (event.at - times[place - 2]) / MICROSECONDS,
        }
        for place, (step, event) in enumerate(attempt, start=1)
    ]


def _funnel_event(event: Event, of_funnel: list[Row]) -> FunnelEvent:
    since = event["timestamp"] - datetime.fromtimestamp(0, UTC)
    met = [step["step_number"] for step in of_funnel if matches(event, step["event"], step["event_filter"])]
    return FunnelEvent(since // timedelta(microseconds=1), event["event_id"], frozenset(met))


def _by_funnel(steps: list[Row]) -> dict[tuple[str, str], list[Row]]:
    funnels = defaultdict(list)
    for step in sorted(steps, key=lambda step: step["step_number"]):
        funnels[step["tenant_id"], step["funnel_id"]].append(step)
    return funnels


def conversion_rows(reached: list[Row], steps: list[Row], last_days: dict[str, date]) -> list[Row]:
    """The table `funnel_conversions_daily`: for each day on which somebody entered, how many came to each step."""
    entered = defaultdict(list)
    for row in reached:
        entered[row["tenant_id"], row["funnel_id"], row["entry_date"]].append(row)
    funnels = _by_funnel(steps)
    rows = []
    for (tenant_id, funnel_id, entry_date), of_day in entered.items():
        of_funnel = funnels[tenant_id, funnel_id]
        counts = {step["step_number"]: 0 for step in of_funnel} | {0: 0}
        for row in of_day:
            counts[row["step_number"]] += 1
        for step in of_funnel:
            number = step["step_number"]
            seconds = [row["seconds_from_previous"] for row in of_day if row["step_number"] == number]
            seconds = [second for second in seconds if second is not None]
            entries_end = datetime.combine(entry_date + timedelta(days=1), datetime.min.time())
            last_day_begins = datetime.combine(last_days[tenant_id], datetime.min.time())
            is_unordered = step["mode"] == "unordered"
            rows.append(
                {
                    "tenant_id": tenant_id,
                    "funnel_id": funnel_id,
                    "entry_date": entry_date,
                    "step_number": number,
                    "step_name": f"any {number} of {len(of_funnel)}" if is_unordered else step["step_name"],
                    "users_count": counts[number],
                    "conversion_from_previous": counts[number] / counts[number - 1] if counts[number - 1] else None,
                    "conversion_from_first": counts[number] / counts[1],
                    "median_seconds_from_previous": quantile(seconds, 0.5),
                    "p90_seconds_from_previous": quantile(seconds, 0.9),
                    "is_window_complete": entries_end + timedelta(seconds=step["window_seconds"]) <= last_day_begins,
                }
            )
    return rows
