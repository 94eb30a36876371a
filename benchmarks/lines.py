"""A day's events as PostHog would write them, one JSON line each, with the days on which they arrive."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import orjson

from benchmarks.hot import Hot, heat
from benchmarks.population import Business, Ints, Sessions, people, sessions_of, some_people

LATE_SHARE = 0.01
DUPLICATE_SHARE = 0.005
LONGEST_DELAY_DAYS = 10  # a visit over midnight, up to 7 days late, re-sent up to 2 days after that
_SESSIONS_AT_ONCE = 4096
_DAY_MS = 86_400_000

# How often each event follows within a visit; the first one is always a page view.
_EVENTS = (
    ("$pageview", 0.52),
    ("$autocapture", 0.18),
    ("product_viewed", 0.10),
    ("$pageleave", 0.06),
    ("product_added", 0.05),
    ("checkout_started", 0.03),
    ("order_completed", 0.02),
    ("tool_call", 0.02),
    ("invoice_sent", 0.02),
)
_NAMES = [name for name, _ in _EVENTS]
_THRESHOLDS = np.cumsum([share for _, share in _EVENTS])[:-1]
_PATHS = [f"/{part}/{number}" for part in ("products", "guides", "offers", "help") for number in range(50)]
_ELEMENTS = 'a.button:nth-child="3"href="/offers"text="More";div.card;body'
_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"

_DEVICES = [
    {"$lib": "web", "$browser": browser, "$os": os, "$device_type": kind, "$country": country}
    for browser, os, kind, country in (
        ("Chrome", "Windows", "Desktop", "DE"),
        ("Mobile Safari", "iOS", "Mobile", "GB"),
        ("Chrome", "Android", "Mobile", "US"),
        ("Safari", "Mac OS X", "Desktop", "US"),
        ("Firefox", "Linux", "Desktop", "FR"),
        ("Edge", "Windows", "Desktop", "ES"),
        ("Samsung Internet", "Android", "Mobile", "KR"),
        ("Mobile Safari", "iPadOS", "Tablet", "PT"),
    )
]
_LANDINGS: list[dict[str, str]] = [
    {"$referrer": "$direct", "$referring_domain": "$direct"},
    {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "brand", "gclid": "Cj0KCQjw"},
    {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "generic", "gclid": "EAIaIQob"},
    {"utm_source": "facebook", "utm_medium": "paid_social", "utm_campaign": "autumn", "fbclid": "IwAR0x"},
    {"utm_source": "newsletter", "utm_medium": "email", "utm_campaign": "weekly"},
    {"utm_source": "partners", "utm_medium": "affiliate", "utm_campaign": "blogs"},
    {"$referrer": "https://www.google.com/", "$referring_domain": "www.google.com"},
    {"$referrer": "https://www.bing.com/", "$referring_domain": "www.bing.com"},
    {"$referrer": "https://www.instagram.com/", "$referring_domain": "www.instagram.com"},
    {"$referrer": "https://news.example/story", "$referring_domain": "news.example"},
]


def tenant_id(tenant: int) -> str:
    """The tenant's name in the files."""
    return f"location-{tenant + 1}"


def lines_of_day(
    business: Business, first_day: date, day: int, *, landing_from: int, landing_before: int, hot: Hot | None = None
) -> Iterator[tuple[int, bytes]]:
    """The events that happen on a day as lines, each with the day (0 is ``first_day``) on which it arrives.

    Lines that arrive outside ``[landing_from, landing_before)`` are left out; that costs next to nothing. A re-sent
    event comes twice, under the same uuid with a later ``received_at``. ``hot`` moves many of them to one key.
    """
    sessions = sessions_of(business, day, len(_LANDINGS))
    rng = business.random(day, purpose=3)
    midnight = np.datetime64(first_day + timedelta(days=day), "ms")
    for first in range(0, len(sessions.length), _SESSIONS_AT_ONCE):
        length = sessions.length[first : first + _SESSIONS_AT_ONCE]
        session = np.repeat(np.arange(first, first + len(length)), length)
        count = len(session)
        starts = np.cumsum(length) - length
        position = np.arange(count) - np.repeat(starts, length)
        wait = np.where(position == 0, 0, 1 + rng.exponential(35_000, count)).astype(np.int64)
        elapsed = np.cumsum(wait)
        at = sessions.start_ms[session] + elapsed - np.repeat(elapsed[starts], length)
        kind = np.where(position == 0, 0, np.searchsorted(_THRESHOLDS, rng.random(count)))
        number = rng.integers(0, 1 << 30, count)
        uuids = rng.bytes(16 * count).hex()
        received, again = _arrival(at, rng)
        for received_at in (received, again):
            landing = day + received_at // _DAY_MS
            wanted = (received_at >= 0) & (landing >= landing_from) & (landing < landing_before)
            rows = np.flatnonzero(wanted)
            columns = (session, position, kind, number, landing)
            times = (np.datetime_as_string(midnight + moments[rows]).tolist() for moments in (at, received_at))
            yield from _lines(sessions, day, uuids, rows.tolist(), [c[rows].tolist() for c in columns], *times, hot=hot)


def _arrival(at: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """When each event arrives, and when once more (-1: never); milliseconds like ``at``."""
    count = len(at)
    late = np.where(rng.random(count) < LATE_SHARE, rng.integers(_DAY_MS, 7 * _DAY_MS, count), 0)
    received = at + rng.integers(200, 4000, count) + late
    is_resent = rng.random(count) < DUPLICATE_SHARE
    return received, np.where(is_resent, received + rng.integers(1000, 2 * _DAY_MS, count), -1)


def _lines(
    sessions: Sessions,
    day: int,
    uuids: str,
    rows: list[int],
    columns: list[list[int]],
    at: list[str],
    received_at: list[str],
    *,
    hot: Hot | None,
) -> Iterator[tuple[int, bytes]]:
    current = -1
    dumps, newline = orjson.dumps, orjson.OPT_APPEND_NEWLINE
    for row, session, position, kind, number, landing, moment, received in zip(
        rows, *columns, at, received_at, strict=True
    ):
        if session != current:
            current = session
            visit = _Visit(sessions, day, session)
        event, distinct_id, properties = visit.event(position, kind, number)
        digits = uuids[32 * row : 32 * row + 32]
        line = {
            "uuid": hyphenated(digits),
            "event": event,
            "distinct_id": distinct_id,
            "timestamp": f"{moment}Z",
            "received_at": f"{received}Z",
            "tenant_id": visit.tenant_id,
            "properties": properties,
        }
        if hot:
            heat(hot, line, session)
        yield landing, dumps(line, option=newline)


class _Visit:
    """What the events of one session share."""

    def __init__(self, sessions: Sessions, day: int, session: int) -> None:
        who = sessions.people
        tenant, user = int(sessions.tenant[session]), int(who.user_number[session])
        self.tenant_id = tenant_id(tenant)
        self.host = f"{self.tenant_id}.example"
        self.device_id = device_id(who.device[session].tolist())
        self.own_user_id = f"user-{user}"
        self.user_id = f"user-{user}-old" if sessions.uses_old_account[session] else self.own_user_id
        self.has_old_account = bool(who.has_old_account[session])
        self.is_login = bool(sessions.is_login[session])
        # Logged in from the first event on, from the second (the login itself), or never.
        self.known_from = 1 if self.is_login else 0 if sessions.is_logged_in[session] else 1 << 30
        self.landing = _LANDINGS[int(sessions.campaign[session])]
        self.shared = _DEVICES[int(who.kind[session])] | {
            "$session_id": f"{tenant:02x}{day:06x}-{session:012x}-{user:x}",
            "$device_id": self.device_id,
        }

    def event(self, position: int, kind: int, number: int) -> tuple[str, str, dict[str, Any]]:
        """The event's name, distinct_id and properties."""
        is_known = position >= self.known_from
        distinct_id = self.user_id if is_known else self.device_id
        name = _NAMES[kind]
        if name == "invoice_sent" and is_known:  # from a server: no session, no device
            return name, distinct_id, {"$lib": "server", "invoice": number, "$is_identified": True}
        path = _PATHS[number % len(_PATHS)]
        page = {"$current_url": f"https://{self.host}{path}", "$pathname": path}
        properties: dict[str, Any] = {**self.shared, **page, "$is_identified": is_known}
        if position == 0:
            properties |= self.landing | {"$host": self.host, "$user_agent": _AGENT, "$timezone": "Europe/Berlin"}
        elif position == 1 and self.is_login:
            name = "$identify"
            properties["$anon_distinct_id"] = self.device_id
            properties["$set"] = {"email": f"{self.user_id}@mail.example", "last_tool": number % 7}
            properties["$set_once"] = {"first_path": path}
        elif position == 2 and self.is_login and self.has_old_account:
            name = "$create_alias" if number % 2 else "$merge_dangerously"
            distinct_id = self.own_user_id
            properties["alias"] = f"{self.own_user_id}-old"
        elif name == "$autocapture":
            properties["$elements_chain"] = _ELEMENTS
        elif name == "order_completed":
            properties |= {"revenue": (number % 9000 + 500) / 100, "currency": "EUR", "items": number % 4 + 1}
        elif name == "tool_call":
            properties |= {"tool_name": f"tool_{number % 12}", "duration_ms": number % 3000}
        elif name != "$pageview":
            properties["product"] = f"p-{number % 400}"
        return name if name != "invoice_sent" else "$pageview", distinct_id, properties


def links_of_day(business: Business, day: int) -> list[tuple[str, str, str, str]]:
    """Identity mappings that a customer system learns on a day: (tenant, anonymous id, user id, link or merge)."""
    rng = business.random(day, purpose=2)
    count = max(4, business.events_per_day // 400)
    tenants, numbers = some_people(business, day, count, rng)
    devices = people(business, tenants, numbers, rng.integers(0, 1 << 32, count).astype(np.uint64)).device
    is_merge = rng.random(count) < 0.03
    rows = zip(tenants.tolist(), numbers.tolist(), devices.tolist(), is_merge.tolist(), strict=True)
    return [
        (tenant_id(tenant), f"user-{number}-old", f"user-{number}", "merge")
        if merge
        else (tenant_id(tenant), device_id(device), f"user-{number}", "link")
        for tenant, number, device, merge in rows
    ]


def device_id(words: list[int]) -> str:
    """A device's two 64-bit words as a UUID."""
    return hyphenated(f"{words[0]:016x}{words[1]:016x}")


def hyphenated(digits: str) -> str:
    """32 hexadecimal digits in the shape of a UUID."""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
