"""Hot keys: the same events, but a large part of them under one key. A kiosk, a bot, a test account, a broken tracker.

No model may need much more memory or time for them than for the same events spread evenly; tests/cost holds that.
"""

from typing import Any, Literal, get_args

Hot = Literal["person", "session", "device", "server", "anonymous_ids", "tenant", "event_names"]
KINDS: tuple[str, ...] = get_args(Hot)

_TENANT = "location-1"
_USER = "user-hot"
_NAMED = ("$pageview", "$identify", "$create_alias", "$merge_dangerously")
_JOINS_IDS = ("$anon_distinct_id", "alias")


def heat(kind: Hot, line: dict[str, Any], session: int) -> None:
    """Move an event of the ``session``-th visit of its day to the hot key, if it is one of those that go there.

    ``person``: a quarter of all visits are one person's. ``session``: a third of all events were sent under one session
    id. ``device``: half of all were sent without a session id from one device, on which many people log in. ``server``:
    half of all were sent from one device, on which many sessions go on at a time, and every second one of those without
    a session id.
    ``anonymous_ids``: a quarter of all visits, each under an anonymous id of its own, are linked to one person.
    ``tenant``: nineteen of twenty are one tenant's. ``event_names``: every event but views and logins has a name of its
    own.
    """
    properties = line["properties"]
    if kind == "event_names":
        if line["event"] not in _NAMED:
            line["event"] += line["uuid"]
    elif kind == "tenant":
        line["tenant_id"] = _TENANT if session % 20 else "location-2"
    elif kind == "person" and session % 4 == 0:
        line |= {"tenant_id": _TENANT, "distinct_id": _USER}
        for name in _JOINS_IDS:
            properties.pop(name, None)
    elif kind == "session" and session % 3 == 0:
        line["tenant_id"] = _TENANT
        properties["$session_id"] = "session-hot"
    elif kind == "device" and session % 2 == 0:
        line["tenant_id"] = _TENANT
        properties.pop("$session_id", None)
        is_anonymous = line["distinct_id"] == properties.get("$device_id")
        properties["$device_id"] = "device-hot"
        if is_anonymous:
            line["distinct_id"] = "device-hot"
        if "$anon_distinct_id" in properties:
            properties["$anon_distinct_id"] = "device-hot"
    elif kind == "server" and session % 2 == 0:
        line["tenant_id"] = _TENANT
        properties["$device_id"] = "server-hot"
        if int(line["uuid"][0], 16) % 2:
            properties.pop("$session_id", None)
    elif kind == "anonymous_ids" and session % 4 == 0:
        anonymous_id = f"anonymous-{line['timestamp'][:10]}-{session}"
        line |= {"tenant_id": _TENANT, "distinct_id": anonymous_id, "user_id": _USER, "anonymous_id": anonymous_id}
        for name in _JOINS_IDS:
            properties.pop(name, None)
