"""One event as the shops' own software knows it, before an exporter spells it in its own way."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

PAGE_VIEW = "page"
IDENTIFY = "identify"
ALIAS = "alias"
MERGE = "merge"


@dataclass(slots=True)
class Event:
    """An event; times are microseconds since 1970 in whole milliseconds, '' means absent."""

    uuid: str
    name: str
    at: int
    received_at: int
    anonymous_id: str
    user_id: str = ""
    session_id: str = ""
    device_id: str = ""
    context: dict[str, str] = field(default_factory=dict)  # browser, os, device_type, country, city, ...
    page: dict[str, str] = field(default_factory=dict)  # current_url, referrer, utm_*, click ids, ...
    properties: dict[str, Any] = field(default_factory=dict)
    revenue: float | None = None
    currency: str = ""
    elements_chain: str = ""


def start_of(day: date) -> int:
    """The first microsecond of a UTC day."""
    return (day - _EPOCH.date()).days * DAY


def as_datetime(at: int) -> datetime:
    """The moment as an aware UTC datetime, exactly."""
    return _EPOCH + timedelta(microseconds=at)
