"""Filters of steps and of retention definitions: `{"plan": "pro", "amount": {">": 10}}`; all conditions must hold."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from tests.oracle.reading import PLAIN, UTMS, Event

COLUMNS = (
    "event", "event_type", "distinct_id", "session_id", "device_id", "is_identified", "current_url", "host",
    "pathname", "referrer", "referring_domain", *UTMS, *PLAIN, "revenue",
)  # fmt: skip
OPERATORS = ("=", "!=", ">", ">=", "<", "<=", "in", "contains", "exists")


def matches(event: Event, name: str, filter_text: str) -> bool:
    """Whether an event has that name ('' is any) and meets the filter. One that cannot be read matches nothing."""
    if name not in ("", event["event"]):
        return False
    if not filter_text.strip():
        return True
    try:
        conditions = json.loads(filter_text, parse_float=Decimal)
    except ValueError:
        return False
    if not isinstance(conditions, dict):
        return False
    return all(_meets(_value(event, name), wanted) for name, wanted in conditions.items())


def _value(event: Event, name: str) -> Any:
    """What an event says of a property: its properties, there under the `$` name, its columns, its click ids."""
    column = name.removeprefix("$")
    places = [
        event["properties"].get(name),
        event["properties"].get(f"${name}"),
        event[column] if column in COLUMNS else None,
        event["click_ids"].get(column),
    ]
    return next((value for value in places if value not in (None, "")), None)


def _meets(value: Any, wanted: Any) -> bool:
    if not isinstance(wanted, dict):
        return _holds(value, "=", wanted)
    known = bool(wanted) and all(operator in OPERATORS for operator in wanted)
    return known and all(_holds(value, operator, operand) for operator, operand in wanted.items())


def _holds(value: Any, operator: str, operand: Any) -> bool:
    if operator == "exists":
        return (value is not None) == (operand is not False)
    if operator in ("=", "!="):
        return _equal(value, operand) == (operator == "=")
    if value is None:
        return False
    if operator == "in":
        return any(_equal(value, choice) for choice in operand)
    if operator == "contains":
        if isinstance(value, list):
            return any(_equal(element, operand) for element in value)
        return _as_text(operand) in _as_text(value)
    if not _is_number(operand):
        return _in_order(operator, _as_text(value), _as_text(operand))
    number = _number(value)
    return number is not None and _in_order(operator, number, _number(operand))


def _in_order(operator: str, left: Any, right: Any) -> bool:
    return {">": left > right, ">=": left >= right, "<": left < right, "<=": left <= right}[operator]


def _equal(value: Any, operand: Any) -> bool:
    if operand in (None, ""):
        return value is None
    if value is None:
        return False
    if _is_number(operand):
        return _number(value) == _number(operand)
    return _as_text(value) == _as_text(operand)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _number(value: Any) -> Decimal | None:
    """A number, digits that were sent as text included."""
    try:
        return None if isinstance(value, bool | list | dict) else Decimal(str(value))
    except InvalidOperation:
        return None


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str, separators=(",", ":"))
