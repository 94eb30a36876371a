"""Ordinary people: how they come, look around, sign up, order and come back."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any
from urllib.parse import urlencode, urlsplit

from sample.business import DAYS, DEVICES, LAST_DAY, MENU, SOURCES, TOOLS, Shop
from sample.event import DAY, HOUR, IDENTIFY, MINUTE, PAGE_VIEW, SECOND, Event, start_of

FIRST_DAY = LAST_DAY - timedelta(days=DAYS - 1)
START, END = start_of(FIRST_DAY), start_of(LAST_DAY) + DAY

# Visits by UTC hour: quiet nights, breakfast and after-work peaks, a tail that crosses midnight.
_HOURS = (4, 2, 1, 1, 1, 2, 6, 11, 12, 9, 8, 9, 11, 9, 7, 7, 9, 12, 13, 12, 10, 8, 9, 10)
_PAGES = ("/menu", "/menu/bread", "/menu/cakes", "/about", "/catering", "/gift-cards")
_LATE_VISITS = 0.010  # a phone without a network keeps a whole visit for days
_LATE_EVENTS = 0.004


def new_uuid(rng: Random) -> str:
    """A random UUID from the seeded generator."""
    h = f"{rng.getrandbits(128):032x}"
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"


@dataclass(slots=True)
class Device:
    """A browser or phone. A person who logs out gets a new anonymous id on the same device."""

    device_id: str
    anonymous_id: str
    context: dict[str, str]
    is_logged_in: bool = False


@dataclass(slots=True)
class Person:
    """A visitor; ``user_id`` is the customer number they have or would get."""

    user_id: str
    devices: list[Device]
    loyalty: float
    has_account: bool = False
    is_subscriber: bool = False


def new_device(shop: Shop, rng: Random) -> Device:
    """A device of the usual kinds, in the shop's city or near it."""
    _, browser, os, kind, agent = rng.choices(DEVICES, weights=[d[0] for d in DEVICES])[0]
    device_id = new_uuid(rng)
    context = {"browser": browser, "os": os, "device_type": kind, "user_agent": agent, "timezone": shop.timezone}
    context |= {"country": shop.country, "city": shop.city if rng.random() < 0.8 else ""}
    context["ip_address"] = f"203.0.113.{rng.randrange(1, 255)}"
    return Device(device_id, device_id, context)


def people_of(shop: Shop, rng: Random) -> Iterator[tuple[int, Person]]:
    """Each person of the shop with the day (0-based) of their first visit: more at weekends, a little growth."""
    weights = [(1.35 if (FIRST_DAY + timedelta(days=d)).weekday() >= 5 else 1.0) * (1 + d / 90) for d in range(DAYS)]
    for number, day in enumerate(rng.choices(range(DAYS), weights=weights, k=shop.people), start=1):
        devices = [new_device(shop, rng) for _ in range(rng.choices((1, 2, 3), weights=(62, 28, 10))[0])]
        yield day, Person(f"cust-{number:04d}", devices, loyalty=rng.betavariate(1.3, 3.2))


def life(shop: Shop, person: Person, first_day: int, rng: Random) -> Iterator[Event]:
    """All events of one person: the first visit, then returns that grow rarer but never quite stop."""
    yield from Visit(shop, person, first_day, rng, is_first=True).events()
    for age in range(1, DAYS - first_day):
        habit = 0.22 if person.has_account else 0.03  # customers keep a weekly rhythm
        chance = person.loyalty * (0.85 / (1 + age) ** 0.9 + habit * (1.6 if age % 7 == 0 else 1.0))
        if rng.random() < chance:
            yield from Visit(shop, person, first_day + age, rng, is_first=False).events()
        if person.is_subscriber and age % 7 == 0:
            at = START + (first_day + age) * DAY + 5 * HOUR
            details = {"plan": "bread-of-the-week", "status": "paid"}
            yield server_event(shop, rng, "subscription_renewed", at, person.user_id, details, 9.50)


def server_event(
    shop: Shop, rng: Random, name: str, at: int, user_id: str, details: dict[str, Any], revenue: float | None = None
) -> Event:
    """An event of the till or the billing job: it knows the customer, but no session and no device."""
    currency = shop.currency if revenue is not None else ""
    properties = {"source": "server", **details}
    return Event(new_uuid(rng), name, at, at + SECOND, "", user_id, "", "", {}, {}, properties, revenue, currency)


@dataclass
class Visit:
    """One visit: a session on one device, from the landing page to the last click."""

    shop: Shop
    person: Person
    day: int
    rng: Random
    is_first: bool
    _now: int = 0
    _delay: int = 0
    _landing: dict[str, str] = field(default_factory=dict)

    def events(self) -> Iterator[Event]:
        """The visit's events in order, without those after the sample's last day."""
        yield from (event for event in self._walk() if event.at < END)

    def _walk(self) -> Iterator[Event]:
        rng, person = self.rng, self.person
        self.device = person.devices[0] if self.is_first else rng.choice(person.devices)
        self.session_id = new_uuid(rng)
        hour = rng.choices(range(24), weights=_HOURS)[0]
        self._now = START + self.day * DAY + hour * HOUR + rng.randrange(3600) * SECOND
        self._delay = rng.randrange(1, 6) * DAY + rng.randrange(24) * HOUR if rng.random() < _LATE_VISITS else 0
        if self.device.is_logged_in and rng.random() < 0.06:  # logged out since: a new anonymous id
            self.device.is_logged_in = False
            self.device.anonymous_id = new_uuid(rng)
        self._landing = self._arrive()
        yield self._page("/" if rng.random() < 0.6 else "/menu", landing=True)
        if rng.random() < (0.38 if self.is_first else 0.22):
            return
        yield from self._browse()
        if rng.random() < 0.11:
            yield from self._ask_assistant()
        if not person.has_account and rng.random() < 0.3:
            yield from self._sign_up()
        elif person.has_account and not self.device.is_logged_in and rng.random() < 0.7:
            yield self._page("/login")
            yield self._log_in()
        if rng.random() < (0.5 if self.device.is_logged_in else 0.1):
            yield from self._order()
        if rng.random() < 0.5:
            yield self._event("page_left")

    def _arrive(self) -> dict[str, str]:
        weights = [s.first_visits if self.is_first else s.later_visits for s in SOURCES]
        source = self.rng.choices(SOURCES, weights=weights)[0]
        utm = zip(("utm_source", "utm_medium", "utm_campaign"), source.utm, strict=True)
        query = dict(utm) | {"utm_term": source.term, "utm_content": source.content}
        if source.click_id:
            query[source.click_id] = f"{self.rng.getrandbits(64):016x}"
        query = {key: value for key, value in query.items() if value}
        return query | {"referrer": source.referrer, "referring_domain": urlsplit(source.referrer).hostname or ""}

    def _event(self, name: str, details: dict[str, Any] | None = None, revenue: float | None = None) -> Event:
        rng, device = self.rng, self.device
        received_at = self._now + self._delay + rng.randrange(200, 4000) * 1000
        if rng.random() < _LATE_EVENTS:
            received_at += rng.randrange(1, 4) * DAY
        return Event(
            uuid=new_uuid(rng),
            name=name,
            at=self._now,
            received_at=min(received_at, max(END - SECOND, self._now + SECOND)),
            anonymous_id=device.anonymous_id,
            user_id=self.person.user_id if device.is_logged_in else "",
            session_id=self.session_id,
            device_id=device.device_id,
            context=device.context,
            properties=dict(details or {}),
            revenue=revenue,
            currency=self.shop.currency if revenue is not None else "",
        )

    def _wait(self, mean_seconds: float) -> None:
        self._now += int(1 + self.rng.expovariate(1 / mean_seconds) * 1000) * 1000

    def _page(self, path: str, landing: bool = False) -> Event:
        if not landing:
            self._wait(38)
        event = self._event(PAGE_VIEW)
        url = f"https://{self.shop.host}{path}"
        event.page = {"host": self.shop.host, "pathname": path}
        if landing:
            referral = ("referrer", "referring_domain")
            query = {key: value for key, value in self._landing.items() if key not in referral}
            event.page |= self._landing
            url += f"?{urlencode(query)}" if query else ""
        else:
            event.page["referring_domain"] = self.shop.host
            event.page["referrer"] = f"https://{self.shop.host}/"
        event.page["current_url"] = url
        return event

    def _browse(self) -> Iterator[Event]:
        rng = self.rng
        for _ in range(rng.choices((1, 2, 3, 4, 6), weights=(24, 30, 22, 14, 10))[0]):
            if rng.random() < 0.6:
                product = rng.choice(list(MENU))
                yield self._page(f"/product/{product}")
                yield self._event("product_viewed", {"product": product, "price": MENU[product]})  # the same instant
            else:
                yield self._page(rng.choice(_PAGES))
            if rng.random() < 0.12:
                self._wait(6)
                click = self._event("click")
                click.elements_chain = 'button.add:nth-child="2"text="Add to basket";div.product;body'
                yield click
        if rng.random() < 0.14:
            yield self._page("/find-us")
            yield self._event("find_us_viewed")

    def _ask_assistant(self) -> Iterator[Event]:
        rng, conversation = self.rng, new_uuid(self.rng)
        self._wait(12)
        yield self._event("assistant_opened", {"conversation_id": conversation})
        for turn in range(1, rng.randrange(2, 5)):
            self._wait(15)
            call = {"conversation_id": conversation, "turn": turn, "tool_name": rng.choice(TOOLS)}
            cost = {"duration_ms": rng.randrange(80, 2400), "tokens": rng.randrange(120, 900)}
            yield self._event("tool_call", call | cost | {"is_error": rng.random() < 0.04})

    def _sign_up(self) -> Iterator[Event]:
        yield self._page("/signup")
        if self.rng.random() < 0.25:  # starts the form, does not finish it
            return
        self.person.has_account = True
        self.person.is_subscriber = self.rng.random() < 0.08
        yield self._log_in()
        yield self._event("signed_up", {"plan": "weekly" if self.person.is_subscriber else "none"})

    def _log_in(self) -> Event:
        self._wait(25)
        self.device.is_logged_in = True
        number = self.person.user_id.removeprefix("cust-")
        known = {"email": f"customer{number}@mail.example", "favourite": self.rng.choice(list(MENU))}
        origin = {"signup_source": self._landing.get("utm_source", "") or "direct", "signup_day": self.day + 1}
        return self._event(IDENTIFY, {"$set": known, "$set_once": origin})

    def _order(self) -> Iterator[Event]:
        rng = self.rng
        basket = rng.sample(list(MENU), k=rng.choices((1, 2, 3), weights=(5, 3, 2))[0])
        for product in basket:
            self._wait(20)
            yield self._event("product_added", {"product": product, "price": MENU[product]})
        if rng.random() < 0.26:
            return
        total = {"items": len(basket), "order_id": f"ord-{rng.getrandbits(32):08x}"}
        self._wait(30)
        yield self._event("checkout_started", total)
        if rng.random() < 0.18:
            return
        if rng.random() < 0.2:  # a detour: breaks the strict funnel, not the ordered one
            yield self._page("/delivery-and-pickup")
        self._wait(45)
        yield self._event("payment_submitted", total)
        self._wait(4)
        if rng.random() < 0.06:
            yield self._event("order_completed", total | {"status": "declined"})
            return
        value = round(sum(MENU[product] for product in basket), 2)
        yield self._event("order_completed", total | {"status": "paid", "basket": basket}, value)
        if self.device.is_logged_in:
            ready = self._now + rng.randrange(40, 300) * MINUTE
            yield server_event(self.shop, rng, "order_picked_up", ready, self.person.user_id, total)
