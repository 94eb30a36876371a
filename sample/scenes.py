"""Hand-written episodes: the awkward things that happen in every real event stream, each in a few lines."""

from collections.abc import Iterator
from copy import deepcopy
from random import Random
from typing import Any

from sample.business import Shop
from sample.event import ALIAS, DAY, HOUR, IDENTIFY, MERGE, MINUTE, PAGE_VIEW, SECOND, Event
from sample.visits import END, START, new_uuid, server_event

COUNTER_TABLET = "tablet-counter-1"
LOYALTY_KIOSK = "loyalty-kiosk-77"  # one terminal that is carried between two shops
WITHDRAWN_PHONE = "phone-lent-to-a-friend"
OLD_CUSTOMER_NUMBER = "crm-90003"
BUSY_SCREEN_SESSION = "menu-screen-on-the-wall"
MIDNIGHT_SESSION = "last-order-before-midnight"


def scenes(shop: Shop, rng: Random) -> Iterator[Event]:
    """All episodes of one shop. Some belong to a single shop, the others happen everywhere."""
    yield from _till_without_sessions(shop, rng)
    yield from _across_midnight(shop, rng)
    yield from _nobody(shop, rng)
    yield from _shared_tablet(shop, rng)
    if shop.tenant == "lisbon":
        yield from _screen_on_the_wall(shop, rng)
        yield from _old_accounts(shop, rng)
        yield from _anonymous_pages(shop, rng, WITHDRAWN_PHONE, day=6)
    if shop.tenant in ("lisbon", "porto"):
        yield from _anonymous_pages(shop, rng, LOYALTY_KIOSK, day=9)
    if shop.tenant == "madrid":
        details = {"status": "paid", "items": 4, "order_id": "ord-phone-1"}
        yield server_event(shop, rng, "order_completed", START + 4 * DAY + 9 * HOUR, OLD_CUSTOMER_NUMBER, details, 61.0)


def sent_again(events: list[Event], rng: Random, share: float = 0.006) -> Iterator[Event]:
    """Copies of some events under the same id, as clients re-send them after a lost answer: some at once, some later.

    Half of the copies are the same to the byte; a few of the later ones say that they are a retry.
    """
    for event in rng.sample(events, k=int(len(events) * share)):
        copy = deepcopy(event)
        if rng.random() < 0.5:
            copy.received_at = min(copy.received_at + rng.randrange(1, 48) * HOUR, END - SECOND)
            if copy.received_at > event.received_at and rng.random() < 0.2:
                copy.properties["is_retry"] = True
        yield copy


def _page(shop: Shop, rng: Random, at: int, anonymous_id: str, session_id: str = "", path: str = "/menu") -> Event:
    page = {"current_url": f"https://{shop.host}{path}", "host": shop.host, "pathname": path}
    device_id = "" if anonymous_id.lower() in ("null", "anonymous") else anonymous_id
    return Event(new_uuid(rng), PAGE_VIEW, at, at + SECOND, anonymous_id, "", session_id, device_id, {}, page)


def _known(
    rng: Random, name: str, at: int, user_id: str, anonymous_id: str = "", details: dict[str, Any] | None = None
) -> Event:
    return Event(new_uuid(rng), name, at, at + SECOND, anonymous_id, user_id, properties=details or {})


def _till_without_sessions(shop: Shop, rng: Random) -> Iterator[Event]:
    """A self-service till that sends neither session nor event ids: sessions are derived (split after half an hour of
    silence), and a hash of the content serves as the event's id."""
    till = f"till-{shop.tenant}"
    for day in range(0, 30, 3):
        at = START + day * DAY + 8 * HOUR
        for gap in (0, 4, 11, 29, 31, 45, 2, 3):
            at += gap * MINUTE
            event = _page(shop, rng, at, till, path="/till")
            event.uuid = ""
            event.context = {"device_type": "Kiosk", "os": "Linux", "timezone": shop.timezone}
            yield event


def _across_midnight(shop: Shop, rng: Random) -> Iterator[Event]:
    """One session from Friday evening into Saturday: it belongs to Friday."""
    start = START + 7 * DAY + 23 * HOUR + 50 * MINUTE
    for step in range(6):
        yield _page(shop, rng, start + step * 4 * MINUTE, f"night-owl-{shop.tenant}", MIDNIGHT_SESSION)


def _nobody(shop: Shop, rng: Random) -> Iterator[Event]:
    """A broken client that sends words instead of ids, and one that identifies them: they must merge nobody."""
    for day in range(2, 28, 5):
        for position, word in enumerate(("null", "anonymous", "NULL")):
            yield _page(shop, rng, START + day * DAY + (10 + position) * HOUR, word)
    for number in (11, 12, 13):
        at = START + (number - 4) * DAY + 13 * HOUR
        yield _known(rng, IDENTIFY, at, f"cust-{number:04d}", "null", {"$set": {"newsletter": True}})


def _shared_tablet(shop: Shop, rng: Random) -> Iterator[Event]:
    """The tablet on the counter: two customers log in on it, days apart. It belongs to the first; nobody is merged."""
    for day, user_id in ((3, "cust-0021"), (9, "cust-0022"), (16, "cust-0021")):
        start = START + day * DAY + 11 * HOUR
        session_id = f"tablet-{shop.tenant}-{day}"
        yield _page(shop, rng, start, COUNTER_TABLET, session_id)
        yield _page(shop, rng, start + 40 * SECOND, COUNTER_TABLET, session_id, "/login")
        login = _known(rng, IDENTIFY, start + MINUTE, user_id, COUNTER_TABLET, {"$set": {"uses_tablet": True}})
        login.session_id, login.device_id = session_id, COUNTER_TABLET
        yield login


def _screen_on_the_wall(shop: Shop, rng: Random) -> Iterator[Event]:
    """A menu screen that is never switched off: one session id for 60 hours, cut after 24 hours each."""
    start = START + 12 * DAY + 6 * HOUR
    for position in range(180):
        yield _page(shop, rng, start + position * 20 * MINUTE, "menu-screen", BUSY_SCREEN_SESSION, "/menu/today")


def _old_accounts(shop: Shop, rng: Random) -> Iterator[Event]:
    """Customers under several ids: an old login (alias), two accounts of one person (merge), a chain of three."""
    day = START + 10 * DAY
    for old, new, hour in (("legacy-ana", "cust-0031", 8), ("legacy-rui", "cust-0032", 9)):
        yield _page(shop, rng, START + 2 * DAY + hour * HOUR, old)
        yield _known(rng, ALIAS, day + hour * HOUR, new, details={"alias": old, "distinct_id": new})
    pairs = (("cust-0041", "cust-0042"), ("cust-0051", "cust-0052"), ("cust-0052", "cust-0053"))
    for hour, (kept, other) in enumerate(pairs, start=12):
        for user_id in (kept, other):
            yield _known(rng, "loyalty_points_added", day + (hour - 72) * HOUR, user_id, details={"points": 20})
        yield _known(rng, MERGE, day + hour * HOUR, kept, details={"alias": other})


def _anonymous_pages(shop: Shop, rng: Random, anonymous_id: str, day: int) -> Iterator[Event]:
    """A few pages on two days under an id that only the mapping file knows to be somebody."""
    for visit in (0, 5):
        for step in range(3):
            at = START + (day + visit) * DAY + 15 * HOUR + step * MINUTE
            yield _page(shop, rng, at, anonymous_id, f"{anonymous_id}-{shop.tenant}-{visit}")
