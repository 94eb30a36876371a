"""One row of a file as an event: the general contract. What other rows say does not matter here."""

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_plus, urlsplit

from tests.oracle.project import is_nobody, var

Row = dict[str, Any]
Event = dict[str, Any]

UTMS = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
CLICK_IDS = (
    "gclid", "gad_source", "gclsrc", "dclid", "gbraid", "wbraid", "fbclid", "msclkid", "twclid", "li_fat_id",
    "igshid", "ttclid", "rdt_cid", "epik", "qclid", "sccid", "irclid", "_kx", "mc_cid",
)  # fmt: skip
# Columns that are what was sent, no more.
PLAIN = (
    "browser", "os", "device_type", "user_agent", "timezone", "country", "city", "ip_address", "currency",
    "elements_chain",
)  # fmt: skip
# What a row may be called by that has a place of its own; each also as `$name`. All else is kept inside the properties.
KNOWN = {
    "tenant_id", "location_id", "project_id", "organization_id", "uuid", "event_id", "messageId", "event", "event_name",
    "event_type", "timestamp", "received_at", "distinct_id", "user_id", "anonymous_id", "previous_id", "previousId",
    "is_identified", "session_id", "device_id", "current_url", "host", "pathname", "referrer", "referring_domain",
    *UTMS, *CLICK_IDS, *PLAIN, "revenue", "properties", "set", "set_once", "traits", "person_properties",
    "user_properties",
}  # fmt: skip
# Referrers that say nothing: words for none, blank pages, pages inside an app.
NO_REFERRER = re.compile(
    r"-|null|undefined|nan|none|nil|n/a|\$?direct|\((direct|none|not set)\)"
    r"|(about|app|capacitor|ionic|file|content|data|blob|javascript):.*"
)
# A session id that is the Unix time of its start is unique for one visitor only.
SESSION_TIME = re.compile(r"1[0-9]{9}([0-9]{3}){0,2}")

# An amount has 38 digits, six of them after the point; sums of them have some more.
MOST = Decimal(10) ** 32
DIGITS = 60

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def event_of(row: Row, line_hash: str) -> Event:
    """The event that a row says, `line_hash` being the id of events that have none."""
    properties: Row = row.get("properties") or {}
    spare = {name: value for name, value in row.items() if name.removeprefix("$") not in KNOWN}
    event: Event = {"tenant_id": text_of(row.get("tenant_id")), "event": first_of(row, "event", "event_name")}
    event["event_id"] = first_of(row, "uuid", "event_id", "messageId") or line_hash
    event["timestamp"] = moment_of(row["timestamp"])
    event["event_date"] = event["timestamp"].date()
    event["received_at"] = moment_of(row["received_at"]) if text_of(row.get("received_at")) else None
    event["event_type"] = first_of(row, "event_type") or _type_of(event["event"])
    event |= _ids(row, properties)
    event |= _page(row, properties)
    event |= {name: _sent(row, properties, name) for name in PLAIN}
    event["revenue"] = _amount(_sent(row, properties, "revenue"))
    event["properties"] = properties | {
        f"$top_level_{name}" if name in properties else name: value
        for name, value in spare.items()
        if properties.get(name) != value
    }
    context: Row = row.get("context") or {}
    setters = [row.get("$set"), properties.get("$set"), row.get("traits"), context.get("traits")]
    setters += [properties.get("traits"), row.get("person_properties"), row.get("user_properties")]
    event["attributes_set"] = _objects(*setters)
    event["attributes_set_once"] = _objects(row.get("$set_once"), properties.get("$set_once"))
    event["is_pageview"] = event["event"] in var("pageview_events")
    return event


def _ids(row: Row, properties: Row) -> Event:
    """Whose event it is. A word that means nobody is no id: the next spelling takes its place."""
    user_id = _somebody(row, "user_id")
    anonymous_id = _somebody(row, "anonymous_id")
    sent_session_id = _not_nobody(_sent(row, properties, "session_id"))
    sent_device_id = _not_nobody(_sent(row, properties, "device_id"))
    distinct_id = _somebody(row, "distinct_id")
    previous_id = _somebody(row, "previous_id") or _somebody(properties, "$anon_distinct_id")
    visitor = sent_device_id or anonymous_id or distinct_id or user_id
    is_per_visitor = visitor and SESSION_TIME.fullmatch(sent_session_id)
    said = _sent(row, properties, "is_identified").lower() in ("true", "1")
    return {
        # an event without any id is of nobody
        "distinct_id": distinct_id or user_id or anonymous_id or sent_device_id or sent_session_id,
        "sent_user_id": user_id,
        "anonymous_id": anonymous_id,
        "previous_id": previous_id or _somebody(properties, "alias"),
        "session_id": f"{visitor}:{sent_session_id}" if is_per_visitor else sent_session_id,
        "device_id": sent_device_id,
        # sent under user_id: identified
        "is_identified": said or (distinct_id == "" and user_id != ""),
    }


def _page(row: Row, properties: Row) -> Event:
    """The page and the campaign: what is absent follows from the URL."""
    url = _sent(row, properties, "current_url")
    parts = urlsplit(url)
    of_url = {name: value for name, value in reversed(parse_qsl(parts.query)) if value}
    referrer = _sent(row, properties, "referrer")
    referring_domain = _sent(row, properties, "referring_domain")
    referrer = "" if _says_nothing(referrer) else referrer
    referring_domain = "" if _says_nothing(referring_domain) else referring_domain
    click_ids = {name: _sent(row, properties, name) or of_url.get(name, "") for name in CLICK_IDS}
    return {
        "current_url": url,
        "host": _sent(row, properties, "host") or parts.hostname or "",
        "pathname": _sent(row, properties, "pathname") or unquote(parts.path) or ("/" if parts.hostname else ""),
        "referrer": referrer,
        "referring_domain": referring_domain or _host(referrer),
        **{name: unquote_plus(_sent(row, properties, name)) or of_url.get(name, "") for name in UTMS},
        "click_ids": {name: value for name, value in click_ids.items() if value},
    }


def _host(address: str) -> str:
    """The host in a URL, or a bare one; a word is none."""
    if "//" in address:
        return urlsplit(address).hostname or ""
    return (urlsplit(f"//{address}").hostname or "") if "." in address else ""


def _says_nothing(referrer: str) -> bool:
    return NO_REFERRER.fullmatch(referrer.strip().lower()) is not None


def _type_of(name: str) -> str:
    if name in var("pageview_events"):
        return "page"
    return "identify" if name in (*var("link_events"), *var("merge_events")) else "track"


def text_of(value: Any) -> str:
    """What stands in a field; absent is empty."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def first_of(row: Row, *spellings: str) -> str:
    return next((text_of(row[name]) for name in spellings if text_of(row.get(name))), "")


def _sent(row: Row, properties: Row, name: str) -> str:
    """A field of the row itself, else of its properties, there first as PostHog spells it."""
    return first_of(row, name, f"${name}") or first_of(properties, f"${name}", name)


def _not_nobody(text: str) -> str:
    return "" if is_nobody(text) else text


def _somebody(row: Row, name: str) -> str:
    return _not_nobody(first_of(row, name))


def _objects(*values: Any) -> Row:
    """Objects put together, the first says the most."""
    merged: Row = {}
    for value in reversed(values):
        merged |= value if isinstance(value, dict) else {}
    return merged


def _amount(text: str) -> Decimal | None:
    """An amount, half up to six places; None if there is none that can be read."""
    try:
        with localcontext(prec=DIGITS):
            amount = Decimal(text.strip().replace(",", "")).quantize(Decimal("0.000001"), ROUND_HALF_UP)
    except InvalidOperation:
        return None
    return amount if abs(amount) < MOST else None


def moment_of(value: Any) -> datetime:
    """ISO 8601, without a zone UTC; or Unix time, whose size says its unit."""
    text = text_of(value).strip()
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        number = Decimal(text)
        # seconds up to the year 5138, then milliseconds, microseconds, nanoseconds
        power = next(power for power in (0, 3, 6, 9) if abs(number) < Decimal(10) ** (11 + power) or power == 9)
        return _EPOCH + timedelta(microseconds=int(number * Decimal(10) ** (6 - power)))
    moment = datetime.fromisoformat(text.upper().replace(",", "."))
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def winners(versions: list[tuple[int, int, Event]]) -> list[Event]:
    """One event per (tenant_id, event_date, event_id) out of (load, line, event), loads in the order they count in.

    The earliest received stands; of those, and of those of which nobody says when, the latest load's, there the last
    line's.
    """
    standing: dict[tuple[Any, ...], Event] = {}
    latest_first = sorted(versions, key=lambda version: (-version[0], -version[1]))
    latest_first.sort(key=lambda version: version[2]["received_at"] or datetime.max.replace(tzinfo=UTC))
    for _, _, event in latest_first:
        standing.setdefault((event["tenant_id"], event["event_date"], event["event_id"]), event)
    events = list(standing.values())
    return sorted(events, key=lambda event: (event["tenant_id"], event["timestamp"], event["event_id"]))
