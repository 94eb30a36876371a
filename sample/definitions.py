"""The small tables beside the events: identity mappings from the customer list, funnels, retention definitions."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sample.business import LISBON, LONDON, MADRID, PORTO
from sample.scenes import LOYALTY_KIOSK, OLD_CUSTOMER_NUMBER, WITHDRAWN_PHONE

DAY_SECONDS = 24 * 3600


@dataclass(frozen=True)
class KnownDevice:
    """A device that never logged in, but that the shop's newsletter tool knows to be a customer's."""

    tenant: str
    anonymous_id: str
    user_id: str
    first_seen_at: str


MAPPING_HEADER = ("tenant_id", "anonymous_id", "user_id", "kind", "first_seen_at", "created_at", "is_deleted")

# A link that was withdrawn ten days later (the phone was only borrowed), two numbers of one customer, and a terminal
# that moves between shops: without a tenant its row holds wherever the terminal has sent events.
_NOTABLE_MAPPINGS = (
    ("lisbon", WITHDRAWN_PHONE, "cust-0061", "link", "2026-10-08 15:00:00", "2026-10-10 09:00:00", 0),
    ("lisbon", WITHDRAWN_PHONE, "cust-0061", "link", "2026-10-08 15:00:00", "2026-10-20 09:00:00", 1),
    ("madrid", OLD_CUSTOMER_NUMBER, "cust-0003", "merge", "2026-10-06 09:00:00", "2026-10-06 09:00:00", 0),
    ("", LOYALTY_KIOSK, "cust-0007", "link", "2026-10-11 15:00:00", "2026-10-12 08:00:00", 0),
    ("porto", "anonymous", "cust-0008", "link", "2026-10-11 15:00:00", "2026-10-12 08:00:00", 0),  # means nobody
)

FUNNEL_HEADER = (
    *("tenant_id", "funnel_id", "name", "step_number", "step_name", "event", "event_filter", "window_seconds", "mode"),
)
_PAID = '{"status": "paid"}'
# Its own shops by name, not "all tenants": they may share a warehouse with somebody else's.
_SHOPS = (LISBON.tenant, PORTO.tenant, MADRID.tenant, LONDON.tenant)
_FUNNELS: tuple[tuple[tuple[str, ...], str, str, int, str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        *(_SHOPS, "signup_to_order", "Sign-up to first paid order", 14 * DAY_SECONDS, "ordered"),
        (
            ("Signed up", "signed_up", ""),
            ("Put something in the basket", "product_added", ""),
            ("Went to the checkout", "checkout_started", ""),
            ("Paid", "order_completed", _PAID),
        ),
    ),
    (
        *(_SHOPS, "express_checkout", "Checkout without a detour", 3600, "strict"),
        (
            ("Went to the checkout", "checkout_started", '{"items": {">=": 1}}'),
            ("Submitted payment", "payment_submitted", ""),
            ("Paid", "order_completed", _PAID),
        ),
    ),
    (
        *((LISBON.tenant,), "getting_to_know_us", "Looked around, in any order", 7 * DAY_SECONDS, "unordered"),
        (
            ("Looked at a product", "product_viewed", ""),
            ("Asked the assistant", "tool_call", '{"is_error": false}'),
            ("Looked for the shop", "find_us_viewed", ""),
        ),
    ),
)

RETENTION_HEADER = (
    *("tenant_id", "retention_id", "name", "target_event", "target_filter", "return_event", "return_filter"),
    *("kind", "period"),
)
_RETENTION = (
    ("weekly_orders", "Weekly repeat orders", *("order_completed", _PAID) * 2, "recurring", "week"),
    ("signup_to_visit", "Back after sign-up", "signed_up", "", "", "", "first_time", "day"),
)


def write_mappings(path: Path, devices: Iterable[KnownDevice]) -> Path:
    """Writes identity mappings: a link per known device, then the notable cases. Returns the path."""
    links = [(d.tenant, d.anonymous_id, d.user_id, "link", d.first_seen_at, d.first_seen_at, 0) for d in devices]
    return _write(path, MAPPING_HEADER, [*links, *_NOTABLE_MAPPINGS])


def write_funnels(path: Path) -> Path:
    """Writes the funnel definitions (one of each mode), a row per shop and step. Returns the path."""
    rows = [
        (tenant, funnel_id, name, number, step, event, event_filter, window, mode)
        for tenants, funnel_id, name, window, mode, steps in _FUNNELS
        for tenant in tenants
        for number, (step, event, event_filter) in enumerate(steps, start=1)
    ]
    return _write(path, FUNNEL_HEADER, rows)


def write_retention_definitions(path: Path) -> Path:
    """Writes the retention definitions, a row per shop. Returns the path."""
    return _write(path, RETENTION_HEADER, [(tenant, *row) for row in _RETENTION for tenant in _SHOPS])


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    return path
