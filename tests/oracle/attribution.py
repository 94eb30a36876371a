"""What brought people: their touches, and the share of each in what they brought."""

from collections import defaultdict
from datetime import datetime, timedelta
from fractions import Fraction

from tests.oracle.identity import Identities, person
from tests.oracle.project import seed, var
from tests.oracle.reading import UTMS, Event, Row
from tests.oracle.sessions import in_order

WINDOW = timedelta(days=var("attribution_window_days"))
HALF_LIFE = timedelta(days=var("attribution_half_life_days"))
TOUCH_CLICK_IDS = ("gclid", "fbclid", "msclkid")

# What stands for the touch that a person without one did not have.
_DIRECT: Row = {"session_id": "", "channel": "Direct", "utm_source": "", "utm_medium": "", "utm_campaign": ""}

Person = tuple[str, str]  # tenant and user_id


def touches_of(sessions: list[Row]) -> dict[Person, list[Row]]:
    """The sessions that are touches, in order."""
    touches = defaultdict(list)
    for row in sorted(sessions, key=lambda row: (row["session_start"], row["session_id"])):
        if row["is_touch"]:
            touches[row["tenant_id"], row["user_id"]].append(row)
    return touches


def attribution_rows(users: list[Row], touches: dict[Person, list[Row]]) -> list[Row]:
    """The table `user_attribution`: all columns of a touch come from one session."""
    rows = []
    for user in users:
        of_person = touches.get((user["tenant_id"], user["user_id"]), [])
        not_direct = [touch["channel"] for touch in of_person if touch["channel"] != "Direct"]
        rows.append(
            {
                "tenant_id": user["tenant_id"],
                "user_id": user["user_id"],
                **_touch("first", of_person[0] if of_person else None),
                **_touch("recent", of_person[-1] if of_person else None),
                "last_non_direct_channel": not_direct[-1] if not_direct else "Direct",
                "sessions_count": user["sessions_count"],
                "first_seen_at": user["first_seen_at"],
                "last_seen_at": user["last_seen_at"],
                "days_between_first_last": (user["last_seen_at"].date() - user["first_seen_at"].date()).days,
            }
        )
    return rows


def _touch(which: str, touch: Row | None) -> Row:
    columns = {
        **{name: touch[name] if touch else "" for name in UTMS},
        **{name: touch["click_ids"].get(name, "") if touch else "" for name in TOUCH_CLICK_IDS},
        "referrer": touch["entry_referrer"] if touch else "",
        "referring_domain": touch["entry_referring_domain"] if touch else "",
        "channel": touch["channel"] if touch else "Direct",
        "session_id": touch["session_id"] if touch else "",
        "at": touch["session_start"] if touch else None,
    }
    return {f"{which}_{name}": value for name, value in columns.items()}


def credit_rows(events: list[Event], known: Identities, touches: dict[Person, list[Row]]) -> list[Row]:
    """The table `attribution_credit`; `credited_revenue` is the exact share, not yet cut to millionths."""
    rows = []
    for event in in_order(events):
        user_id = person(event, known)
        if not user_id or not is_conversion(event):
            continue
        at = event["timestamp"]
        led = [
            touch
            for touch in touches.get((event["tenant_id"], user_id), [])
            if at - WINDOW <= touch["session_start"] <= at
        ]
        most = var("attribution_max_touches")
        if len(led) > most:
            led = [led[0], *led[len(led) - most + 1 :]]
        for model, credits in _models(led, at).items():
            for touch, credit in zip(led or [_DIRECT], credits, strict=True):
                if credit:
                    rows.append(_credit(event, user_id, model, touch, credit))
    return rows


def is_conversion(event: Event) -> bool:
    """Whether the seed names the event; a tenant with rows of its own goes by those alone."""
    own = [row for row in seed("conversion_events") if row["tenant_id"] == event["tenant_id"]]
    return any(
        row["event"] in ("*", event["event"]) and (row["needs_revenue"] == "0" or event["revenue"] is not None)
        for row in own or [row for row in seed("conversion_events") if not row["tenant_id"]]
    )


def _models(led: list[Row], at: datetime) -> dict[str, list[Fraction]]:
    """The shares of the touches that led to a conversion, by model; of none: one share, for Direct."""
    count = max(len(led), 1)
    nothing, one = Fraction(0), Fraction(1)
    if count <= 2:
        position = [one / count] * count
    else:
        position = [Fraction(2, 5), *[Fraction(1, 5) / (count - 2)] * (count - 2), Fraction(2, 5)]
    ages = [(at - touch["session_start"]) / HALF_LIFE for touch in led] or [0.0]
    weights = [Fraction(0.5**age) for age in ages]
    return {
        "first": [one, *[nothing] * (count - 1)],
        "last": [*[nothing] * (count - 1), one],
        "linear": [one / count] * count,
        "position": position,
        "time_decay": [weight / sum(weights) for weight in weights],
    }


def _credit(event: Event, user_id: str, model: str, touch: Row, credit: Fraction) -> Row:
    return {
        "tenant_id": event["tenant_id"],
        "conversion_event_id": event["event_id"],
        "model": model,
        "user_id": user_id,
        "conversion_at": event["timestamp"],
        "conversion_event": event["event"],
        **{name: touch[name] for name in _DIRECT},
        "credit": float(credit),
        "credited_revenue": None if event["revenue"] is None else Fraction(event["revenue"]) * credit,
    }
