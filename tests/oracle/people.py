"""Everybody, and what they did when."""

import hashlib
import hmac
from collections import defaultdict
from typing import Any

from tests.oracle.identity import Identities, person
from tests.oracle.reading import Event, Row
from tests.oracle.sessions import in_order, total

Person = tuple[str, str]  # tenant and user_id


def tracking_id(secret: str, tenant_id: str, user_id: str) -> str:
    """A keyed hash of tenant and user."""
    return hmac.new(secret.encode(), f"{tenant_id}\0{user_id}".encode(), hashlib.sha256).hexdigest()


def user_rows(
    events: list[Event],
    known: Identities,
    sessions: list[Row],
    touches: dict[Person, list[Row]],
    secret: str,
) -> list[Row]:
    """The table `users`: everybody with an event."""
    sessions_of, ids_of = defaultdict(list), defaultdict(list)
    for row in sessions:
        sessions_of[row["tenant_id"], row["user_id"]].append(row)
    for (tenant_id, distinct_id), user_id in known.person_of.items():
        ids_of[tenant_id, user_id].append((tenant_id, distinct_id))
    rows = []
    for (tenant_id, user_id), of_person in _by_person(events, known).items():
        key = tenant_id, user_id
        durations = [row["duration_seconds"] for row in sessions_of[key]]
        of_touches = touches.get(key, [])
        rows.append(
            {
                "tenant_id": tenant_id,
                "user_id": user_id,
                "tracking_id": tracking_id(secret, tenant_id, user_id),
                "is_identified": any(one in known.identified for one in ids_of[key]),
                "distinct_ids_count": len(ids_of[key]),
                "first_seen_at": of_person[0]["timestamp"],
                "last_seen_at": of_person[-1]["timestamp"],
                "first_seen_date": of_person[0]["event_date"],
                "sessions_count": len(durations),
                "events_count": len(of_person),
                "pageviews_count": sum(event["is_pageview"] for event in of_person),
                "lifetime_value": total(of_person),
                "average_session_duration": sum(durations) / len(durations) if durations else None,
                "attributes": _attributes(of_person),
                "first_touch_channel": of_touches[0]["channel"] if of_touches else "Direct",
                "first_touch_at": of_touches[0]["session_start"] if of_touches else None,
                "recent_touch_channel": of_touches[-1]["channel"] if of_touches else "Direct",
                "recent_touch_at": of_touches[-1]["session_start"] if of_touches else None,
            }
        )
    return rows


def _attributes(of_person: list[Event]) -> dict[str, Any]:
    """Of `$set` the last value of a name, else of `$set_once` the first."""
    attributes: dict[str, Any] = {}
    for event in reversed(of_person):
        attributes |= event["attributes_set_once"]
    for event in of_person:
        attributes |= event["attributes_set"]
    return dict(sorted(attributes.items()))


def user_day_rows(events: list[Event], known: Identities, sessions: list[Row]) -> list[Row]:
    """The table `user_days`: events under who sent them, sessions under their person on the day they started."""
    days: dict[tuple[str, str, Any], list[Event]] = defaultdict(list)
    started: dict[tuple[str, str, Any], int] = defaultdict(int)
    for (tenant_id, user_id), of_person in _by_person(events, known).items():
        for event in of_person:
            days[tenant_id, user_id, event["event_date"]].append(event)
    for row in sessions:
        started[row["tenant_id"], row["user_id"], row["session_date"]] += 1
    return [
        {
            "tenant_id": tenant_id,
            "user_id": user_id,
            "date": date,
            "events_count": len(days[tenant_id, user_id, date]),
            "pageviews_count": sum(event["is_pageview"] for event in days[tenant_id, user_id, date]),
            "sessions_count": started[tenant_id, user_id, date],
            "revenue": total(days[tenant_id, user_id, date]),
        }
        for tenant_id, user_id, date in sorted(days.keys() | started.keys())
    ]


def hour_rows(events: list[Event], known: Identities) -> list[Row]:
    """The table `events_hourly`; events of nobody count, nobody does not."""
    hours = defaultdict(list)
    for event in events:
        hours[event["tenant_id"], event["event"], event["event_date"], event["timestamp"].hour].append(event)
    return [
        {
            "tenant_id": tenant_id,
            "event": name,
            "date": date,
            "hour": hour,
            "events_count": len(of_hour),
            "nobody_events_count": sum(event["distinct_id"] == "" for event in of_hour),
            "users_count": len({person(event, known) for event in of_hour} - {""}),
        }
        for (tenant_id, name, date, hour), of_hour in hours.items()
    ]


def _by_person(events: list[Event], known: Identities) -> dict[Person, list[Event]]:
    people = defaultdict(list)
    for event in in_order(events):
        if user_id := person(event, known):
            people[event["tenant_id"], user_id].append(event)
    return people
