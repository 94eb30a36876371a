"""Random but repeatable sequences of files and builds, made to hit every rule that reaches across loads.

Few ids, few event ids, few session ids and few moments, so that nearly every file touches what others touched.
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

Row = dict[str, Any]

START = datetime(2026, 1, 5, tzinfo=UTC)
TENANTS = ["bakery", "bakery", "library"]
# Two ids mean nobody; "a1" is also a device.
IDS = ["a1", "a2", "a3", "a4", "u1", "u2", "u3", "null", "Guest"]
# Ids that seldom send a session id, so that now and then a file brings their first or takes their last one.
WITHOUT_SESSIONS = {"a4", "u3", "phone"}
EVENTS = [
    "$pageview", "$pageview", "click", "signup", "purchase", "$identify", "$identify", "$create_alias",
    "$merge_dangerously", "$merge", "alias",
]  # fmt: skip


@dataclass(frozen=True)
class File:
    """One file to load: `name` is its path, so a later file of the same name replaces it."""

    table: str
    name: str
    rows: list[Row]


@dataclass(frozen=True)
class Chapter:
    """Files loaded one after another, then loads of earlier ones withdrawn, by the names of their files; then a build,
    unless `is_built` says that none comes here.
    """

    files: list[File]
    withdrawn: list[str]
    is_built: bool


def story(seed: int, chapters: int) -> list[Chapter]:
    """The story of a seed; the last chapter ends with a build."""
    rng = random.Random(seed)
    told = []
    standing: set[str] = set()
    for number in range(chapters):
        files = [_file(rng) for _ in range(rng.randint(1, 4))]
        earlier = sorted(standing - {file.name for file in files})
        withdrawn = rng.sample(earlier, k=int(bool(earlier) and rng.random() < 0.7))
        standing = (standing | {file.name for file in files}) - set(withdrawn)
        told.append(Chapter(files, withdrawn, is_built=number == chapters - 1 or rng.random() < 0.8))
    return told


def _file(rng: random.Random) -> File:
    table = rng.choices(
        ["events", "identity_mappings", "funnel_steps", "retention_definitions"], weights=[12, 6, 1, 1]
    )[0]
    # A small choice of names: about every third file replaces an earlier one.
    name = f"{table}-{rng.randint(1, 12 if table in ('events', 'identity_mappings') else 4)}.ndjson"
    if table == "events":
        return File(table, name, [event(rng) for _ in range(rng.choice([1, 3, 10, 40]))])
    if table == "identity_mappings":
        return File(table, name, [mapping(rng) for _ in range(rng.randint(1, 4))])
    defined = name.partition(".")[0]
    # the project's own definitions are redefined, too
    defined = {"funnel_steps-1": "visitor_to_customer", "retention_definitions-1": "daily"}.get(defined, defined)
    return File(table, name, funnel(rng, defined) if table == "funnel_steps" else [retention(rng, defined)])


def _moment(rng: random.Random) -> datetime:
    """Now and then the same moment twice, steps of exactly the session timeout, midnight, and weeks apart.

    Many within an hour, so that sessions go on side by side.
    """
    minutes = rng.choice(
        [
            30 * rng.randint(0, 30),
            rng.randint(0, 60),
            rng.randint(0, 600),
            rng.randint(0, 4 * 1440),
            1440 * rng.randint(0, 100),
        ]
    )
    return START + timedelta(minutes=minutes, microseconds=rng.choice([0, 0, 0, 1, 7_500_000]))


def event(rng: random.Random) -> Row:
    """One event; any field that may be missing sometimes is."""
    at = _moment(rng)
    name = rng.choice(EVENTS)
    properties: Row = {}
    row: Row = {
        "tenant_id": rng.choice(TENANTS),
        "event": name,
        "timestamp": at.isoformat(),
        "distinct_id": rng.choice(IDS),
        "properties": properties,
    }
    if rng.random() < 0.05:
        del row["distinct_id"]  # mostly of nobody
    if rng.random() < 0.6:
        row["event_id"] = f"e{rng.randint(1, 80)}"
    if rng.random() < 0.2:
        row["received_at"] = (at + timedelta(minutes=rng.randint(0, 3))).isoformat()
    if rng.random() < 0.4:
        row["device_id"] = rng.choice(["a1", "phone"])
    if rng.random() < 0.2:
        row["anonymous_id"] = rng.choice(IDS)
    sends_seldom = {row.get(name) for name in ("device_id", "anonymous_id", "distinct_id")} & WITHOUT_SESSIONS
    if rng.random() < (0.03 if sends_seldom else 0.5):
        row["session_id"] = rng.choice(["s1", "s2", "s3", "s4", "s5", "s1~2"])
    if rng.random() < 0.15:
        row["is_identified"] = True
    if rng.random() < 0.1:
        row |= {"user_id": rng.choice(IDS), "anonymous_id": rng.choice(IDS)}
    if rng.random() < 0.3:
        properties |= {"utm_source": rng.choice(["google", "news"]), "utm_medium": rng.choice(["cpc", "email", ""])}
    if rng.random() < 0.2:
        properties["$referring_domain"] = rng.choice(["www.google.com", "pay.example", "shop.example"])
    if rng.random() < 0.5:
        host = rng.choice(["shop.example", "shop.example", "pay.example"])
        properties |= {"$current_url": f"https://{host}/{rng.choice('ab')}", "$host": host}
    if rng.random() < 0.1:
        properties["gclid"] = f"g{rng.randint(1, 3)}"
    if rng.random() < 0.4:
        properties["plan"] = rng.choice(["free", "pro"])
    if rng.random() < 0.2:
        properties["$set"] = {rng.choice("xy"): rng.randint(1, 3)}
    if rng.random() < 0.1:
        row["traits"] = {rng.choice("xy"): rng.randint(1, 3)}
    if rng.random() < 0.2:
        properties["$set_once"] = {rng.choice("xy"): rng.randint(1, 3)}
    if name == "purchase":
        row["revenue"] = rng.choice([5, 9.99, 20, -5, "12345678901234567890123456789.123456"])
    if name == "$identify":
        properties["$anon_distinct_id"] = rng.choice(IDS)
    if name in ("$create_alias", "$merge_dangerously"):
        properties["alias"] = rng.choice(IDS)
    if name in ("$merge", "alias"):
        row["previous_id"] = rng.choice(IDS)
    return row


def mapping(rng: random.Random) -> Row:
    """A link, a merge or a withdrawal; with or without a tenant, with or without times."""
    seen = START + timedelta(hours=rng.randint(0, 240))
    row: Row = {
        "tenant_id": rng.choice([*TENANTS, ""]),
        "anonymous_id": rng.choice(IDS),
        "user_id": rng.choice(IDS),
        "kind": rng.choice(["link", "link", "link", "merge"]),
        "is_deleted": int(rng.random() < 0.3),
    }
    if rng.random() < 0.6:
        row["first_seen"] = seen.isoformat()
    if rng.random() < 0.6:
        row["created_at"] = (seen + timedelta(hours=rng.choice([0, 24]))).isoformat()
    return row


def funnel(rng: random.Random, funnel_id: str) -> list[Row]:
    """A funnel of two or three steps, or that there is none. Its id goes with its file's name: no two standing files
    define the same one.
    """
    mode = rng.choice(["ordered", "strict", "unordered"])
    window = rng.choice([1800, 86_400, 14 * 86_400])
    tenant = rng.choice(["", "bakery"])
    if rng.random() < 0.3:
        return [{"tenant_id": tenant, "funnel_id": funnel_id, "is_deleted": 1}]
    return [
        {
            "tenant_id": tenant,
            "funnel_id": funnel_id,
            "name": "A funnel",
            "step_number": number,
            "step_name": f"step {number}",
            "event": rng.choice(["$pageview", "click", "signup", "purchase"]),
            "event_filter": rng.choice(["", "", '{"plan": "pro"}']),
            "window_seconds": window,
            "mode": mode,
        }
        for number in range(1, rng.randint(2, 3) + 1)
    ]


def retention(rng: random.Random, retention_id: str) -> Row:
    """A retention definition; its id goes with its file's name."""
    return {
        "tenant_id": rng.choice(["", "library"]),
        "retention_id": retention_id,
        "name": "A retention",
        "target_event": rng.choice(["", "signup", "$pageview"]),
        "target_filter": rng.choice(["", '{"plan": "pro"}']),
        "return_event": rng.choice(["", "purchase"]),
        "return_filter": "",
        "kind": rng.choice(["first_time", "recurring"]),
        "period": rng.choice(["day", "week", "month"]),
        "is_deleted": int(rng.random() < 0.3),
    }
