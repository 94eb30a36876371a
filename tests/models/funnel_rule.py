"""The funnel rule as plain Python, one sentence after the other: what the warehouse's SQL is compared with."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

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
