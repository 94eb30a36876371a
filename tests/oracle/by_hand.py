"""A story that goes to the edges of every rule, in tenants that have the same ids.

What the one says the other says as well, at other times and with gaps: whoever mixes them up is wrong in both. A third
one says at first what the first one says, word for word, and nothing later: whoever deletes there what is worked out
again in the other is wrong, too.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.exactness.stories import File, Row

NORTH, SOUTH, TWIN = "north", "south", "twin"
START = datetime(2023, 6, 5, 9, tzinfo=UTC)  # a Monday
SHIFT = timedelta(hours=1, seconds=7)
MICROSECOND = timedelta(microseconds=1)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def at(time: timedelta, distinct_id: str, event: str = "click", **more: Any) -> Row:
    """An event so long after the start."""
    return {"at": time, "distinct_id": distinct_id, "event": event, **more}


def in_both(rows: Iterable[Row], prefix: str) -> list[Row]:
    """The rows of both tenants; every seventh is missing in the one, every eighth in the other."""
    told = []
    for number, row in enumerate(rows):
        rest = {name: value for name, value in row.items() if name != "at"}
        ids = {} if "event_id" in row else {"event_id": f"{prefix}{number}"}
        if number % 7 != 6:
            told.append({"tenant_id": NORTH, "timestamp": (START + row["at"]).isoformat(), **ids, **rest})
        if number % 8 != 7:
            told.append({"tenant_id": SOUTH, "timestamp": (START + SHIFT + row["at"]).isoformat(), **ids, **rest})
    return told


def page(path: str, **more: Any) -> Row:
    """What the event of a page says of it."""
    return {"current_url": f"https://shop.example{path}", **more}


def _visits() -> Iterator[Row]:
    """Where sessions begin, end and are cut; who they are of; what they say."""
    half = 30 * MINUTE
    # derived: exactly the timeout, a moment more, a login in the middle
    yield at(0 * MINUTE, "v1", "page", **page("/a"))
    yield at(half, "v1")
    yield at(2 * half + MICROSECOND, "v1", "page", **page("/b", browser="Firefox"))
    yield at(3 * half, "v1", "page", device_id="d1")
    yield at(3 * half + MINUTE, "v1", device_id="d1", user_id="u1", anonymous_id="v1", browser="Safari", os="iOS")
    # a device that has an id, of two people, at one moment
    for number, who in enumerate(["v2", "v3", "v2"]):
        yield at(5 * HOUR, who, "page", device_id="d2", event_id=f"same{2 - number}", **page(f"/{number}"))
    # derived and sent, longer than a day, with an event exactly a day after the start
    for hours in range(0, 52, 4):
        yield at(hours * HOUR, "long", session_id="day", revenue=1)
        yield at(hours * HOUR, "longer", session_id="day~2")
    yield at(24 * HOUR + MICROSECOND, "long", session_id="day")
    for number in range(60):
        yield at(2 * DAY + number * 29 * MINUTE, "walker", "page")
    # a session id of two people, identified later on, of equal times
    yield at(HOUR, "v4", "page", session_id="s1", **page("/in", referrer="https://www.google.com/search"))
    yield at(HOUR, "v5", session_id="s1", is_identified=True, event_id="tie1")
    yield at(HOUR, "v6", session_id="s1", is_identified=True, event_id="tie2", **page("/out", country="SE"))
    yield at(HOUR + 9 * MINUTE, "v4", session_id="s1", country="NO", city="Oslo")
    # a bounce and none, by a moment
    yield at(0 * HOUR, "v7", "page", session_id="b1")
    yield at(timedelta(seconds=10), "v7", session_id="b1")
    yield at(HOUR, "v7", "page", session_id="b2")
    yield at(HOUR + timedelta(seconds=10) - MICROSECOND, "v7", session_id="b2")
    yield at(2 * HOUR, "v7", "page", session_id="b3")
    yield at(2 * HOUR, "v7", "$screen", session_id="b3")
    # without a session id: while one is going on, until the last moment, and not a moment later
    yield at(4 * HOUR, "v8", "page", session_id="c1", device_id="d8", **page("/a", referrer="https://pay.example/"))
    yield at(4 * HOUR + half, "v8", session_id="c2")
    yield at(4 * HOUR + 2 * half, "v8", revenue=3, **page("/paid", utm_source="server"))
    yield at(4 * HOUR + 2 * half + MICROSECOND, "v8", revenue=4)
    yield at(4 * HOUR - MICROSECOND, "v8", revenue=5)
    yield at(4 * HOUR + MINUTE, "other", device_id="d8", revenue=6)
    yield at(4 * HOUR + half, "v8", revenue=7)
    # before midnight and after it
    yield at(14 * HOUR + 59 * MINUTE, "v9", "page")
    yield at(15 * HOUR + MINUTE, "v9", "page")
    # entry and campaign: not of the first event, of one event
    yield at(6 * HOUR, "v10", "start", referrer="https://app.example/")
    yield at(6 * HOUR + MINUTE, "v10", "page", **page("/e", referrer="https://shop.example/d"))
    yield at(6 * HOUR + 2 * MINUTE, "v10", "page", **page("/f", utm_term="shoes", referrer="https://news.example/"))
    yield at(6 * HOUR + 3 * MINUTE, "v10", "page", **page("/g", utm_source="late", gclid="late"))
    yield at(6 * HOUR + 4 * MINUTE, "v10", "page", host="second.example", pathname="/h")
    yield at(6 * HOUR + 5 * MINUTE, "v10", "leave")
    # own hosts: of a later page as well
    yield at(7 * HOUR, "v11", "page", **page("/a", referrer="https://pay.second.example/"))
    yield at(7 * HOUR + MINUTE, "v11", "page", host="second.example")
    # a login by the last event; twice, for one is missing in each tenant at most
    for number in range(2):
        yield at(8 * HOUR, f"v12-{number}", "page", session_id=f"login{number}")
        yield at(8 * HOUR + MINUTE, f"v13-{number}", session_id=f"login{number}", is_identified=True)


def _sources() -> Iterator[Row]:
    """One visit for each way in which a channel is found."""
    said: list[Row] = [
        {"utm_source": source, "utm_medium": medium}
        for source in ("google", "facebook", "newsletter", "youtube", "amazon", "mail.google.com", "who", "")
        for medium in (
            "cpc",
            "organic",
            "email",
            "display",
            "referral",
            "social",
            "paid_social",
            "affiliate",
            "video",
            "",
        )
    ]
    said += [
        {"utm_campaign": name, "utm_medium": medium} for name in ("cross-network", "shop") for medium in ("ppc", "")
    ]
    clicks = ("gclid", "msclkid", "dclid", "fbclid", "irclid", "_kx", "epik")
    said += [{click: "x", "utm_medium": medium} for click in clicks for medium in ("", "organic", "email", "cpc")]
    said += [{"gclid": "x", "fbclid": "y"}, {"fbclid": "y", "msclkid": "z", "utm_source": "facebook"}]
    referrers = ("www.google.co.uk", "https://docs.google.com/a", "t.co", "blog.example", "www.shop.example", "example")
    said += [{"referrer": referrer, "host": "shop.example"} for referrer in referrers]
    said += [{"referring_domain": "$direct", "referrer": "android-app://com.example"}, {"utm_source": "(direct)"}]
    said += [{"utm_source": "(not set)", "utm_medium": "(none)"}, {"utm_source": " Google ", "utm_medium": "CPC"}]
    for number, row in enumerate(said):
        yield at(timedelta(days=20, minutes=number), f"c{number % 40}", "page", session_id=f"c{number}", **row)


def _conversions() -> Iterator[Row]:
    """Touches at the edges of the window, more than may share, and amounts that cannot be shared evenly."""
    bought = 40 * DAY
    for name, before in (("in", 30 * DAY), ("out", 30 * DAY + MICROSECOND), ("now", 0 * DAY), ("after", -MICROSECOND)):
        yield at(bought - before, "buyer", "page", session_id=f"touch-{name}", utm_source=name, utm_medium="email")
    yield at(bought - 10 * DAY, "buyer", "page", session_id="no touch")
    yield at(bought - 7 * DAY, "buyer", "page", session_id="touch-a", gclid="g", referrer="https://news.example/")
    yield at(bought - 7 * DAY, "buyer", "page", session_id="touch-b", utm_source="tie")
    yield at(bought, "buyer", "purchase", session_id="bought", revenue=10)
    yield at(bought + MINUTE, "buyer", "refund", session_id="bought", revenue="-3.333333")
    yield at(bought + 2 * MINUTE, "buyer", "gift", session_id="bought", revenue=0)
    yield at(bought, "stranger", "purchase", revenue="0.0000015")
    for number in range(53):
        at_ = bought - timedelta(hours=number * 3)
        yield at(at_, "fan", "page", session_id=f"fan{number}", utm_source=f"s{number}")
    yield at(bought + MINUTE, "fan", "purchase", session_id="fan0", revenue=100)
    # two touches of one moment, and no other
    for number in range(8):
        for which, medium in (("a", "email"), ("b", "cpc")):
            campaign = {"utm_source": which, "utm_medium": medium}
            yield at(bought, f"twin{number}", "page", session_id=f"twin{number}{which}", **campaign)


def _steps() -> Iterator[Row]:
    """Ways through funnels: at the end of the window, at one moment, with others in between, on several days."""
    for person, seconds in (("f1", 60), ("f2", 60.000001), ("f3", 0)):
        yield at(10 * DAY, person, "see", event_id=f"{person}-b")
        yield at(10 * DAY + timedelta(seconds=seconds), person, "buy", event_id=f"{person}-a", plan="pro")
    for number, name in enumerate(["see", "see", "other", "ask", "buy", "buy"]):
        yield at(10 * DAY + timedelta(seconds=number), "f4", name)
        yield at(10 * DAY + timedelta(seconds=number // 2), "f5", name)
        yield at(10 * DAY + timedelta(seconds=5 - number), "f6", name)
    for number, name in enumerate(["buy", "ask", "see", "see", "ask"]):
        yield at(11 * DAY + timedelta(seconds=number), "f4", name)
        yield at(11 * DAY + timedelta(seconds=20), "f7", name)
    for days in (11, 12):
        yield at(days * DAY, "f8", "both")
        yield at(days * DAY + timedelta(seconds=30), "f8", "both")
    yield at(10 * DAY + 14 * HOUR + 59 * MINUTE + timedelta(seconds=59), "f9", "see")
    yield at(10 * DAY + 15 * HOUR + timedelta(seconds=10), "f9", "buy")


def _returns() -> Iterator[Row]:
    """Those who come back on the last day that is followed, and a day later."""
    for person, days in {
        "r1": (0, 1, 7, 14, 30, 60, 90, 91),
        "r2": (0, 6, 7, 364, 371, 372),
        "r3": (5, 28, 29, 365, 730, 760),
        "r4": (760, 761),
        "r5": (754, 755),
    }.items():
        for day in days:
            yield at(day * DAY, person, "come" if day % 2 else "page", plan="pro" if day % 3 else "free")


def _people() -> Iterator[Row]:
    """Attributes of one moment, ids that become identified, several ids of one person in one hour."""
    yield at(HOUR, "p1", properties={"$set": {"x": 1, "y": [1]}, "$set_once": {"x": 0, "z": "first"}}, event_id="p-b")
    yield at(HOUR, "p1", properties={"$set": {"x": 2}, "$set_once": {"z": "second", "w": None}}, event_id="p-a")
    yield at(2 * HOUR, "p2", properties={"$set": {"y": "late"}}, traits={"x": "trait"})
    yield at(2 * HOUR, "p3", "$identify", properties={"$anon_distinct_id": "p2", "$set": {"v": True}})
    yield at(2 * HOUR, "p1", "$create_alias", properties={"alias": "p3"})
    yield at(3 * HOUR, "", user_id="p4", anonymous_id="p5")
    yield at(3 * HOUR, "p5", user_id="null", is_identified=False)
    yield at(4 * HOUR, "p4", "$identify", properties={"$anon_distinct_id": "p1"})
    yield at(4 * HOUR, "p6", "$identify", properties={"$anon_distinct_id": "tablet"})
    yield at(4 * HOUR, "p7", "$identify", properties={"$anon_distinct_id": "tablet"})
    yield at(5 * HOUR, "p8", "$identify", properties={"$anon_distinct_id": "pad"})
    # of nobody
    yield at(5 * HOUR, "anonymous", "page", session_id="null", revenue=2)
    yield at(5 * HOUR, "", "page", user_id="0", device_id="00000000-0000-0000-0000-000000000000")
    yield at(5 * HOUR, "NULL", "page", session_id="lonely")
    yield at(5 * HOUR, "p9", "page", session_id=1_686_000_000)
    yield at(5 * HOUR, "p10", "page", session_id=1_686_000_000)
    # repeated, received at different times or nobody knows when
    for number, received in enumerate([5, 3, 3, None, 4]):
        more = {} if received is None else {"received_at": (START + 6 * HOUR + received * MINUTE).isoformat()}
        yield at(6 * HOUR, f"p{number % 2 + 1}", "again", event_id="again", revenue=number, **more)
        yield at(6 * HOUR, f"p{number % 2 + 1}", "repeated", event_id="repeated", revenue=number)


def links(*pairs: tuple[str, str, float | None, float | None, Row]) -> list[Row]:
    """Rows of identity mappings in both tenants; times in hours after the start, of the one a little later."""
    rows = []
    for tenant_id, shift in ((NORTH, 0 * HOUR), (SOUTH, SHIFT)):
        for number, (anonymous_id, user_id, first_seen, created_at, more) in enumerate(pairs):
            if number % 5 == 4 and tenant_id == SOUTH:
                continue
            row = {"tenant_id": tenant_id, "anonymous_id": anonymous_id, "user_id": user_id}
            if first_seen is not None:
                row["first_seen"] = (START + shift + first_seen * HOUR).isoformat()
            if created_at is not None:
                row["created_at"] = (START + shift + created_at * HOUR).isoformat()
            rows.append(row | more)
    return rows


LINKS = [
    *links(
        # a tie of two links, and one without a time
        ("v1", "u2", 1, None, {}),
        ("v1", "u1", 1, None, {}),
        ("v4", "u3", None, None, {}),
        ("v4", "u4", 9, None, {}),
        # a chain of merges around a cycle, without anybody identified
        ("f1", "f2", None, 1, {"kind": "merge"}),
        ("f2", "f3", None, 1, {"kind": "merge"}),
        ("f3", "f1", None, 1, {"kind": "merge"}),
        # identified on the anonymous side
        ("u1", "u5", 0, None, {}),
        # withdrawn: at the same moment, earlier, later; the time of a withdrawal counts
        ("v7", "u6", 2, 3, {}),
        ("v7", "u6", 1, 3, {"is_deleted": 1}),
        ("v9", "u6", 2, 3, {}),
        ("v9", "u6", 1, 2, {"is_deleted": 1}),
        ("v10", "u6", 2, 3, {}),
        ("v10", "u6", 2, 4, {"is_deleted": 1}),
        ("v11", "null", 1, 1, {}),
        ("guest", "u7", 1, 1, {}),
        ("p5", "p5", 1, 1, {}),
        ("f8", "u8", 5, None, {}),
        ("f9", "u8", 4, None, {}),
        ("f9", "u9", 4.5, None, {}),
        ("f8", "f9", None, 1, {"kind": "merge"}),
    ),
    # without a tenant
    {"tenant_id": "", "anonymous_id": "c1", "user_id": "c2", "first_seen": START.isoformat()},
    {"tenant_id": "", "anonymous_id": "unheard", "user_id": "c2", "first_seen": START.isoformat()},
]


def funnel(funnel_id: str, tenant_id: str, mode: str, *events: str, window: int = 60, **more: Any) -> list[Row]:
    """The steps of a funnel, numbered with gaps."""
    return [
        {
            "tenant_id": tenant_id,
            "funnel_id": funnel_id,
            "name": f"{funnel_id} of {tenant_id}",
            "step_number": 2 * number + 1,
            "step_name": f"{number}: {event}",
            "event": event,
            "window_seconds": window,
            "mode": mode,
            **more,
        }
        for number, event in enumerate(events)
    ]


FUNNELS = [
    *funnel("ordered", "", "ordered", "see", "ask", "buy"),
    *funnel("two", "", "ordered", "see", "buy"),
    *funnel("strict", "", "strict", "see", "ask", "buy"),
    *funnel("unordered", "", "unordered", "see", "ask", "buy"),
    *funnel("unordered", SOUTH, "unordered", "buy", "see", window=1),
    *funnel("twice", "", "ordered", "both", "both"),
    *funnel("twice in any order", "", "unordered", "both", "both"),
    *funnel("filtered", NORTH, "ordered", "", "", event_filter='{"plan": {"in": ["pro", "free"]}, "revenue": null}'),
    *funnel("long", "", "ordered", "page", "come", window=14 * 86_400),
    {"tenant_id": NORTH, "funnel_id": "long", "is_deleted": 1},
]


def definition(retention_id: str, tenant_id: str, kind: str, period: str, **more: Any) -> Row:
    """A retention definition."""
    return {"retention_id": retention_id, "tenant_id": tenant_id, "name": "N", "kind": kind, "period": period, **more}


DEFINITIONS = [
    definition("recurring", "", "recurring", "week", target_event="page", return_event="come"),
    definition(
        "filtered", NORTH, "first_time", "month", target_filter='{"plan": "pro"}', return_filter='{"plan": "free"}'
    ),
    definition("weekly", SOUTH, "recurring", "day", target_event="come"),
    {"tenant_id": NORTH, "retention_id": "monthly", "is_deleted": 1},
]


def _late() -> Iterator[Row]:
    """What comes late: it joins two sessions, lies before the first, changes who somebody is, or is the last day."""
    yield at(45 * MINUTE, "v1", "page")
    yield at(3 * HOUR + 50 * MINUTE, "v8", session_id="c1")
    yield at(-2 * DAY, "buyer", "page", session_id="touch-first", utm_source="before all", utm_medium="cpc")
    yield at(39 * DAY, "buyer", "page", session_id="touch-late", utm_source="late")
    yield at(10 * DAY + timedelta(seconds=2.5), "f4", "ask")
    yield at(9 * DAY, "f1", "see")
    yield at(4 * HOUR, "p8", "$identify", properties={"$anon_distinct_id": "p6"})
    yield at(20 * MINUTE, "v2", is_identified=True)
    yield at(6 * HOUR, "p1", "again", event_id="again", revenue=9, received_at=START.isoformat())
    yield at(6 * HOUR, "p1", "repeated", event_id="repeated", revenue=9)
    yield at(3 * DAY, "r1", "page", properties={"$set": {"x": "new"}})
    yield at(770 * DAY, "r4", "page", plan="pro")
    yield at(5 * HOUR + MINUTE, "none", "page")
    yield at(2 * DAY + 5 * MINUTE, "walker", "page", session_id="begins to send")
    yield at(25 * HOUR, "long", session_id="day", utm_source="late")


def with_twin(*files: File) -> Iterator[File]:
    """The files, and one of each kind that says in the twin what they say in the north."""
    yield from files
    for table in dict.fromkeys(file.table for file in files):
        rows = [row for file in files if file.table == table for row in file.rows if row["tenant_id"] == NORTH]
        yield File(table, f"twin {table}.ndjson", [row | {"tenant_id": TWIN} for row in rows])


# Loaded one after the other and built at once; then loaded on top, of the same name for those that replace another.
FIRST = [
    *with_twin(
        File("events", "visits.ndjson", in_both(_visits(), "v")),
        File("events", "sources.ndjson", in_both(_sources(), "c")),
        File("events", "conversions.ndjson", in_both(_conversions(), "b")),
        File("events", "steps.ndjson", in_both(_steps(), "f")),
        File("events", "returns.ndjson", in_both(_returns(), "r")),
        File("events", "people.ndjson", in_both(_people(), "p")),
        File("identity_mappings", "links.ndjson", LINKS),
        File("funnel_steps", "funnels.ndjson", FUNNELS),
        File("retention_definitions", "definitions.ndjson", DEFINITIONS),
    ),
]
THEN = [
    # in one tenant alone: what is worked out anew in it must leave the other as it is
    File("events", "late.ndjson", [row for row in in_both(_late(), "l") if row["tenant_id"] == NORTH]),
    File("events", "steps.ndjson", in_both(list(_steps())[3:], "f")),
    File("identity_mappings", "links.ndjson", LINKS[2:]),
    File(
        "identity_mappings",
        "more links.ndjson",
        links(("v2", "u1", 0, None, {}), ("c3", "c4", 0, None, {}), ("r1", "r2", 0, 0, {"kind": "merge"})),
    ),
    File("funnel_steps", "more funnels.ndjson", funnel("two", NORTH, "strict", "see", "buy", window=1)),
    File("retention_definitions", "more definitions.ndjson", [definition("daily", NORTH, "recurring", "day")]),
]
