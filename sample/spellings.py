"""The four exports: how each shop's software spells one event. No two agree, as in life."""

import csv
import io
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa

from sample.event import ALIAS, IDENTIFY, MERGE, PAGE_VIEW, Event, as_datetime

_POSTHOG_NAMES = {
    PAGE_VIEW: "$pageview",
    IDENTIFY: "$identify",
    ALIAS: "$create_alias",
    MERGE: "$merge_dangerously",
    "click": "$autocapture",
    "page_left": "$pageleave",
}


def posthog_line(event: Event, tenant: str) -> bytes:
    """PostHog's way: five fields at the top, all else in ``properties`` with a dollar sign; links by $identify."""
    referrer = event.page.get("referrer", "")
    page = dict(event.page)
    if "current_url" in page and not referrer:
        page |= {"referrer": "$direct", "referring_domain": "$direct"}
    properties: dict[str, Any] = {"$lib": "web" if event.context else "server"}
    known = event.context | page | {"session_id": event.session_id, "device_id": event.device_id}
    for key, value in known.items():
        if value:
            own_name = key.startswith("utm_") or key in ("gclid", "msclkid", "fbclid", "ttclid")
            properties[key if own_name else f"${key}"] = value
    properties["$is_identified"] = bool(event.user_id)
    properties |= event.properties
    if event.name == IDENTIFY:
        properties["$anon_distinct_id"] = event.anonymous_id
    if event.elements_chain:
        properties["$elements_chain"] = event.elements_chain
    if event.revenue is not None:
        properties |= {"revenue": event.revenue, "currency": event.currency}
    own_id = {"uuid": event.uuid} if event.uuid else {}
    return orjson.dumps(
        own_id
        | {
            "event": _POSTHOG_NAMES.get(event.name, event.name),
            "distinct_id": event.user_id or event.anonymous_id,
            "timestamp": f"{as_datetime(event.at):%Y-%m-%d %H:%M:%S.%f}",
            "received_at": f"{as_datetime(event.received_at):%Y-%m-%d %H:%M:%S.%f}",
            "tenant_id": tenant,
            "properties": properties,
        }
    )


def segment_line(event: Event, tenant: str) -> bytes:
    """Segment's way: flat, Unix milliseconds, ``user_id`` and ``anonymous_id`` side by side (which links the two)."""
    name = {PAGE_VIEW: "page", "page_left": "page_closed"}.get(event.name, event.name)
    row: dict[str, Any] = {
        "messageId": event.uuid,
        "project_id": tenant,
        "event": name,
        "event_type": name if name in ("page", "identify") else "track",
        "timestamp": event.at // 1000,
        "received_at": event.received_at // 1000,
        "anonymous_id": event.anonymous_id,
        "user_id": event.user_id,
        "session_id": event.session_id,
        "device_id": event.device_id,
        **event.context,
        **event.page,
        "elements_chain": event.elements_chain,
        "revenue": event.revenue,
        "currency": event.currency,
        "app_version": "4.2.0" if event.context else "",  # a field no warehouse knows: kept in properties
        "properties": event.properties,
    }
    return orjson.dumps({key: value for key, value in row.items() if value not in ("", None)})


_CSV_CONTEXT = ("browser", "os", "device_type", "country", "city", "timezone", "ip_address")
_CSV_PAGE = ("current_url", "host", "pathname", "referrer", "referring_domain")
_CSV_CAMPAIGN = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
_CSV_CLICKS = ("gclid", "msclkid", "fbclid", "ttclid")
CSV_HEADER = (
    *("event_id", "location_id", "event_name", "timestamp", "received_at", "user_id", "anonymous_id", "session_id"),
    *("device_id", *_CSV_CONTEXT, *_CSV_PAGE, *_CSV_CAMPAIGN, *_CSV_CLICKS),
    *("revenue", "currency", "elements_chain", "properties"),
)


def csv_lines(events: Iterable[Event], tenant: str) -> list[bytes]:
    """One CSV line per event, without the header: ``location_id`` for the tenant, properties as JSON in a cell."""
    names = {PAGE_VIEW: "page_view"}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    lines = []
    for event in events:
        everything = event.context | event.page
        ids = (event.user_id, event.anonymous_id, event.session_id, event.device_id)
        writer.writerow(
            (
                *(event.uuid, tenant, names.get(event.name, event.name)),
                *(f"{as_datetime(at).isoformat(timespec='milliseconds')}" for at in (event.at, event.received_at)),
                *ids,
                *(everything.get(key, "") for key in _CSV_CONTEXT + _CSV_PAGE + _CSV_CAMPAIGN + _CSV_CLICKS),
                *("" if event.revenue is None else f"{event.revenue:.2f}", event.currency, event.elements_chain),
                orjson.dumps(event.properties).decode() if event.properties else "",
            )
        )
        lines.append(text.getvalue().encode())
        text.seek(0)
        text.truncate()
    return lines


PARQUET_SCHEMA = pa.schema(
    [
        ("event_id", pa.string()),
        ("organization_id", pa.string()),
        ("event", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("received_at", pa.timestamp("us", tz="UTC")),
        ("distinct_id", pa.string()),
        ("is_identified", pa.bool_()),
        *((name, pa.string()) for name in ("session_id", "device_id", *_CSV_CONTEXT, *_CSV_PAGE, *_CSV_CAMPAIGN)),
        *((name, pa.string()) for name in _CSV_CLICKS),
        ("revenue", pa.decimal128(18, 2)),
        ("currency", pa.string()),
        ("elements_chain", pa.string()),
        ("properties", pa.string()),
    ]
)


def parquet_row(event: Event, tenant: str) -> dict[str, Any]:
    """One row of ``PARQUET_SCHEMA``: real times and decimals, absent values are nulls, links by $identify."""
    names = {PAGE_VIEW: "pageview", IDENTIFY: "$identify"}
    properties = dict(event.properties)
    if event.name == IDENTIFY:
        properties["$anon_distinct_id"] = event.anonymous_id
    row: dict[str, Any] = {
        "event_id": event.uuid,
        "organization_id": tenant,
        "event": names.get(event.name, event.name),
        "timestamp": event.at,
        "received_at": event.received_at,
        "distinct_id": event.user_id or event.anonymous_id,
        "is_identified": bool(event.user_id),
        "session_id": event.session_id,
        "device_id": event.device_id,
        **event.context,
        **event.page,
        "revenue": None if event.revenue is None else Decimal(f"{event.revenue:.2f}"),
        "currency": event.currency,
        "elements_chain": event.elements_chain,
        "properties": orjson.dumps(properties).decode(),
    }
    return {key: value for key, value in row.items() if value not in ("", None)}
