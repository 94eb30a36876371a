"""Visits: which events belong together, and what they say as one."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from statistics import median
from typing import Any

from tests.oracle.channels import channel, outside_referrer
from tests.oracle.identity import Identities, is_identified_event, person
from tests.oracle.project import var
from tests.oracle.reading import DIGITS, UTMS, Event, Row

# The name of a derived session: a hash of tenant, device and start, whatever hash it is.
NameOf = Callable[[str, str, datetime], str]

TIMEOUT = timedelta(minutes=var("session_timeout_minutes"))
LONGEST = timedelta(hours=var("max_session_hours"))
FIRST_VALUES = ("browser", "os", "device_type", "user_agent", "ip_address", "country", "city", "timezone")


@dataclass
class Visit:
    """The events of one session, in order."""

    tenant_id: str
    session_id: str
    is_derived: bool
    events: list[Event]

    @property
    def start(self) -> datetime:
        """The time of the first event."""
        return self.events[0]["timestamp"]


def device_of(event: Event) -> str:
    """What derived sessions are cut of: the device, else the anonymous id, else the distinct id."""
    return event["device_id"] or event["anonymous_id"] or event["distinct_id"]


def visits(events: list[Event], name_of: NameOf) -> list[Visit]:
    """All sessions. Events of nobody are in none."""
    of_somebody = [event for event in events if event["distinct_id"]]
    sent = [event for event in of_somebody if event["session_id"]]
    unsent = [event for event in of_somebody if not event["session_id"]]
    found = []
    for (tenant_id, session_id), of_key in _grouped(sent, lambda event: event["session_id"]).items():
        # a sent id that looks like the name of a part is marked as the first part of its own
        base = f"{session_id}~1" if re.search(r"~[0-9]+$", session_id) else session_id
        found += [Visit(tenant_id, name, False, part) for name, part in _parts(base, of_key)]

    # an id sends session ids in whichever place it stands on an event with one
    visits_of_id = defaultdict(list)
    for visit in found:
        for one in {event[name] for event in visit.events for name in ("device_id", "anonymous_id", "distinct_id")}:
            visits_of_id[visit.tenant_id, one].append(visit)
    derived = []
    adopted = []
    for event in unsent:
        of_id = visits_of_id.get((event["tenant_id"], device_of(event)))
        if of_id is None:
            derived.append(event)
        elif going_on := _going_on(of_id, event["timestamp"]):
            adopted.append((event, going_on))
    for event, going_on in adopted:
        going_on.events = in_order([*going_on.events, event])

    for (tenant_id, device), of_key in _grouped(derived, device_of).items():
        for island in _islands(of_key):
            base = name_of(tenant_id, device, island[0]["timestamp"])
            found += [Visit(tenant_id, name, True, part) for name, part in _parts(base, island)]
    return found


def _going_on(candidates: list[Visit], at: datetime) -> Visit | None:
    """The session that is going on, from its start to half an hour after its last event; of several the latest.

    None goes on for longer than a session may.
    """
    going_on = [
        visit
        for visit in candidates
        if visit.start <= at <= min(visit.events[-1]["timestamp"] + TIMEOUT, visit.start + LONGEST)
    ]
    return max(going_on, key=lambda visit: (visit.start, visit.session_id), default=None)


def _islands(events: list[Event]) -> Iterable[list[Event]]:
    """Events with no more than the timeout between one and the next."""
    island = [events[0]]
    for event in events[1:]:
        if event["timestamp"] - island[-1]["timestamp"] > TIMEOUT:
            yield island
            island = []
        island.append(event)
    yield island


def _parts(base: str, events: list[Event]) -> Iterable[tuple[str, list[Event]]]:
    """A session that goes on for too long starts anew, as ~2, ~3, …"""
    parts = [[events[0]]]
    for event in events[1:]:
        if event["timestamp"] - parts[-1][0]["timestamp"] > LONGEST:
            parts.append([])
        parts[-1].append(event)
    for number, part in enumerate(parts, start=1):
        yield (base if number == 1 else f"{base}~{number}"), part


def _grouped(events: list[Event], key: Callable[[Event], str]) -> dict[tuple[str, str], list[Event]]:
    groups = defaultdict(list)
    for event in in_order(events):
        groups[event["tenant_id"], key(event)].append(event)
    return groups


def in_order(events: Iterable[Event]) -> list[Event]:
    """Events in the order of everything: by time, of the same moment by id."""
    return sorted(events, key=lambda event: (event["timestamp"], event["event_id"]))


def session_rows(found: list[Visit], known: Identities) -> list[Row]:
    """The table `sessions`."""
    rows = [_session(visit, known) for visit in found]
    of_person = defaultdict(list)
    for row in rows:
        of_person[row["tenant_id"], row["user_id"]].append(row)
    for of_one in of_person.values():
        of_one.sort(key=lambda row: (row["session_start"], row["session_id"]))
        for number, row in enumerate(of_one, start=1):
            row["session_number"] = number
            row["is_first_session"] = number == 1
    return rows


def _session(visit: Visit, known: Identities) -> Row:
    events = visit.events
    first, last = events[0], events[-1]
    identified = [event for event in events if is_identified_event(event, known)]
    with_page = [event for event in events if _has_page(event)]
    entry = with_page[0] if with_page else first
    exit_ = with_page[-1] if with_page else last
    campaign = next((event for event in events if _has_campaign(event)), None)
    utms = {name: campaign[name] if campaign else "" for name in UTMS}
    click_ids = campaign["click_ids"] if campaign else {}
    own_hosts = {event["host"] for event in events if event["host"]}
    referrer = outside_referrer(entry["referring_domain"] or entry["referrer"], own_hosts)
    seconds = (last["timestamp"] - first["timestamp"]) / timedelta(seconds=1)
    pageviews = sum(event["is_pageview"] for event in events)
    return {
        "tenant_id": visit.tenant_id,
        "session_id": visit.session_id,
        "user_id": person(identified[-1] if identified else first, known),
        "first_distinct_id": first["distinct_id"],
        "last_distinct_id": last["distinct_id"],
        "session_start": first["timestamp"],
        "session_end": last["timestamp"],
        "session_date": first["timestamp"].date(),
        "duration_seconds": seconds,
        "is_derived": visit.is_derived,
        "is_identified": bool(identified),
        "became_identified": bool(identified) and not is_identified_event(first, known),
        "events_count": len(events),
        "pageviews_count": pageviews,
        "is_bounce": pageviews <= 1 and seconds < var("bounce_seconds"),
        "entry_url": entry["current_url"],
        "entry_host": entry["host"],
        "entry_pathname": entry["pathname"],
        "entry_referrer": entry["referrer"],
        "entry_referring_domain": entry["referring_domain"],
        "exit_url": exit_["current_url"],
        "exit_pathname": exit_["pathname"],
        **utms,
        "click_ids": click_ids,
        "channel": channel(utms, click_ids, referrer),
        **{name: next((event[name] for event in events if event[name]), "") for name in FIRST_VALUES},
        "revenue": total(events),
        "is_touch": campaign is not None or referrer != "",
    }


def _has_page(event: Event) -> bool:
    return event["current_url"] != "" or event["host"] != "" or event["pathname"] != ""


def _has_campaign(event: Event) -> bool:
    return any(event[name] for name in UTMS) or bool(event["click_ids"])


def total(rows: Iterable[Row]) -> Decimal:
    """The sum of revenue; absent is none."""
    with localcontext(prec=DIGITS):
        return sum((row["revenue"] or Decimal(0) for row in rows), Decimal(0))


def stats_rows(sessions: list[Row]) -> list[Row]:
    """The table `session_stats_daily`."""
    days = defaultdict(list)
    for row in sessions:
        days[row["tenant_id"], row["session_date"]].append(row)
    return [_day(tenant_id, date, rows) for (tenant_id, date), rows in days.items()]


def _day(tenant_id: str, date: Any, rows: list[Row]) -> Row:
    def count(holds: Callable[[Row], Any]) -> int:
        return sum(bool(holds(row)) for row in rows)

    def has_utm(row: Row) -> bool:
        return any(row[name] for name in UTMS)

    def has_referrer(row: Row) -> bool:
        return bool(row["entry_referrer"] or row["entry_referring_domain"])

    tops = {name: _top(row[name] for row in rows) for name in ("utm_source", "utm_medium", "utm_campaign")}
    sessions_count = len(rows)
    return {
        "tenant_id": tenant_id,
        "date": date,
        "sessions_count": sessions_count,
        "identified_sessions_count": count(lambda row: row["is_identified"]),
        "identified_sessions_pct": 100 * count(lambda row: row["is_identified"]) / sessions_count,
        "became_identified_sessions_count": count(lambda row: row["became_identified"]),
        "users_count": len({row["user_id"] for row in rows}),
        "new_users_count": count(lambda row: row["is_first_session"]),
        "avg_duration_seconds": sum(row["duration_seconds"] for row in rows) / sessions_count,
        "median_duration_seconds": median(row["duration_seconds"] for row in rows),
        "avg_pageviews_per_session": sum(row["pageviews_count"] for row in rows) / sessions_count,
        "bounce_rate": count(lambda row: row["is_bounce"]) / sessions_count,
        "sessions_with_attribution_count": count(lambda row: has_utm(row) or has_referrer(row)),
        "sessions_with_utm_count": count(has_utm),
        "sessions_with_referrer_count": count(has_referrer),
        **{f"top_{name}": top[0][0] if top else "" for name, top in tops.items()},
        **{f"top_{name}s": top for name, top in tops.items()},
        "revenue": total(rows),
    }


def _top(values: Iterable[str]) -> list[tuple[str, int]]:
    """The values of most sessions, ties alphabetical."""
    counts = Counter(value for value in values if value)
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[: var("top_list_size")]
