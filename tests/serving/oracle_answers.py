"""The answers of five endpoints, worked out a second time: plain Python over the tables that the oracle makes."""

from datetime import date, datetime
from typing import Any

Row = dict[str, Any]
Tables = dict[str, list[Row]]

_TOUCH = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
_CLICKS = ("gclid", "fbclid", "msclkid")
_REFERRERS = ("referrer", "referring_domain")


def person_of(tables: Tables, tenant: str, one: str) -> str | None:
    """The person that an id is of."""
    for row in tables["identities"]:
        if (row["tenant_id"], row["distinct_id"]) == (tenant, one):
            return str(row["user_id"])
    return None


def user_profile_events(tables: Tables, tenant: str, user_id: str) -> list[Row]:
    """Events of a person, newest first."""
    person = person_of(tables, tenant, user_id)
    found = [row for row in tables["events"] if (row["tenant_id"], row["user_id"]) == (tenant, person)]
    found.sort(key=lambda row: (row["timestamp"], row["event_id"]), reverse=True)
    return [
        {"uuid": row["event_id"], "event": row["event"], "distinct_id": row["distinct_id"], "location_id": tenant}
        for row in found
    ]


def user_sessions(tables: Tables, tenant: str, distinct_id: str | None = None) -> list[Row]:
    """Sessions of a person, or of all, newest first."""
    person = person_of(tables, tenant, distinct_id) if distinct_id else None
    found = [
        row
        for row in tables["sessions"]
        if row["tenant_id"] == tenant and (distinct_id is None or row["user_id"] == person)
    ]
    found.sort(key=lambda row: (row["session_start"], row["session_id"]), reverse=True)
    return [_session(row) for row in found]


def sessions_analytics(tables: Tables, tenant: str, min_duration: float) -> list[Row]:
    """Sessions that took so long, the shortest first."""
    found = [
        row for row in tables["sessions"] if row["tenant_id"] == tenant and row["duration_seconds"] >= min_duration
    ]
    found.sort(key=lambda row: (row["duration_seconds"], row["session_id"]))
    return [
        _session(row)
        | {
            "seconds_per_pageview": row["duration_seconds"] / row["pageviews_count"]
            if row["pageviews_count"]
            else None,
            "session_date": row["session_date"],
        }
        for row in found
    ]


def user_attribution(tables: Tables, tenant: str, user_id: str) -> list[Row]:
    """Touches of a person, and their first session."""
    person = person_of(tables, tenant, user_id)
    sessions = [row for row in tables["sessions"] if (row["tenant_id"], row["user_id"]) == (tenant, person)]
    first_session = min(sessions, key=lambda row: (row["session_start"], row["session_id"]), default=None)
    answers = []
    for row in tables["user_attribution"]:
        if (row["tenant_id"], row["user_id"]) != (tenant, person):
            continue
        answer = {
            f"{touch}_{name}": row[f"{touch}_{name}"] or None
            for touch in ("first", "recent")
            for name in (*_TOUCH, *_CLICKS, *_REFERRERS)
        }
        for name in _TOUCH:
            answer[f"first_session_{name}"] = (first_session[name] or None) if first_session else None
        for name in _REFERRERS:
            answer[f"first_session_{name}"] = (first_session[f"entry_{name}"] or None) if first_session else None
        answer["session_count"] = len(sessions)
        answer["days_between_first_last"] = row["days_between_first_last"]
        answers.append(answer)
    return answers


def session_stats(tables: Tables, tenant: str) -> list[Row]:
    """Sessions of each day, the newest first."""
    names = {
        "session_count": "sessions_count", "identified_session_count": "identified_sessions_count",
        "identified_session_percentage": "identified_sessions_pct", "avg_session_duration": "avg_duration_seconds",
        "avg_pageviews_per_session": "avg_pageviews_per_session",
        "sessions_with_attribution_count": "sessions_with_attribution_count",
        "sessions_with_utm_count": "sessions_with_utm_count",
        "sessions_with_referrer_count": "sessions_with_referrer_count", "top_utm_source": "top_utm_source",
        "top_utm_medium": "top_utm_medium", "top_utm_campaign": "top_utm_campaign",
    }  # fmt: skip
    found = [row for row in tables["session_stats_daily"] if row["tenant_id"] == tenant]
    found.sort(key=lambda row: row["date"], reverse=True)
    return [
        {"date": row["date"], "location_id": tenant}
        | {name: (None if row[column] == "" else row[column]) for name, column in names.items()}
        for row in found
    ]


def _session(row: Row) -> Row:
    renamed = {
        "session_duration_seconds": "duration_seconds", "event_count": "events_count",
        "pageview_count": "pageviews_count",
        **{f"first_{name}": name for name in _TOUCH},
    }  # fmt: skip
    same = (
        "session_id", "session_start", "session_end", "first_distinct_id", "last_distinct_id", "became_identified",
        "entry_url", "entry_host", "entry_pathname", "entry_referrer", "entry_referring_domain", "exit_url",
        "exit_pathname", "browser", "device_type", "timezone",
    )  # fmt: skip
    answer = {name: row[name] for name in same} | {name: row[column] for name, column in renamed.items()}
    return {name: None if value == "" else value for name, value in answer.items()} | {"location_id": row["tenant_id"]}


def plain(value: Any) -> Any:
    """A value as it is compared: times as the service writes them, numbers rounded to what both work out."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return float(value)
    return value if value is None or isinstance(value, str) else round(float(value), 6)


def unlike(expected: list[Row], answered: list[Row]) -> list[str]:
    """Where an answer is not what it should be."""
    if len(expected) != len(answered):
        return [f"{len(answered)} rows instead of {len(expected)}"]
    return [
        f"row {place}: {name} is {row.get(name)!r} and should be {value!r}"
        for place, (wanted, row) in enumerate(zip(expected, answered, strict=True))
        for name, value in wanted.items()
        if plain(value) != plain(row.get(name))
    ]
