"""Filters of funnel steps and retention definitions: operators, types, and where a property is looked for."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest

from cli.definition_warnings import OPERATORS, filter_problem
from tests.models.macros import PROJECT, macro
from warehouse.connection import Warehouse

COLUMNS = [
    "event", "event_type", "distinct_id", "session_id", "device_id", "current_url", "host", "pathname", "referrer",
    "referring_domain", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "browser", "os",
    "device_type", "user_agent", "timezone", "country", "city", "ip_address", "currency", "elements_chain",
]  # fmt: skip


def test_filters(warehouse: Warehouse) -> None:
    found = matches(warehouse, FILTERS, EVENTS)
    wrong = [
        f"{filter_} on {event}: {is_match}"
        for filter_, event, expected, is_match in zip(FILTERS, EVENTS, EXPECTED, found, strict=True)
        if is_match != expected
    ]
    assert not wrong


@pytest.mark.parametrize("other_names", [0, 300])
def test_a_property_that_few_events_have_is_found_however_it_is_spelt(warehouse: Warehouse, other_names: int) -> None:
    # texts without any of the names are not parsed; the search for names takes 255 at most
    texts = ['{"x":1}', '{"rarity":1}', '{"$rarity":1}', '{"r\\u0061rity":1}', '{"x":"\\\\"}', "{}"]
    filters: list[Any] = [{"rarity": 1}] * len(texts) + [{f"other_{number}": 1} for number in range(other_names)]
    events = [{"properties": text} for text in texts] + [{}] * other_names
    assert matches(warehouse, filters, events) == [False, True, True, True, False, False] + [False] * other_names


def test_the_command_that_warns_of_filters_knows_the_operators_of_the_macro() -> None:
    source = (PROJECT / "macros" / "event_filter.sql").read_text()
    assert set(re.findall(r"condition\.operator = '([^']+)'", source)) == set(OPERATORS)


def test_what_the_command_warns_of_matches_nothing_and_what_matches_it_does_not_warn_of(warehouse: Warehouse) -> None:
    bad: list[Any] = [
        {"plan": {}}, {"plan": {"in": "pro"}}, {"plan": {"like": "pro"}}, {"plan": {"==": "pro"}},
        {"plan": {"=": "pro", "is": "pro"}},
    ]  # fmt: skip
    events: list[dict[str, Any]] = [{}, *({"properties": {"plan": plan}} for plan in ("pro", "", 1, ["pro"], None))]
    pairs = [(filter_, event) for filter_ in bad for event in events]
    assert all(filter_problem(json.dumps(filter_)) for filter_ in bad)
    assert not any(matches(warehouse, [filter_ for filter_, _ in pairs], [event for _, event in pairs]))
    good = [filter_ for filter_, is_match in zip(FILTERS, EXPECTED, strict=True) if is_match]
    assert not [each for each in good if filter_problem(each if isinstance(each, str) else json.dumps(each))]


def matches(warehouse: Warehouse, filters: list[Any], events: list[dict[str, Any]]) -> list[bool]:
    """Whether each event meets the filter of the same place, all in one query."""
    database = warehouse.settings.database
    with warehouse.client() as client:
        client.command("CREATE DATABASE {db:Identifier}", parameters={"db": database})
    texts = ", ".join(f"{column} String" for column in COLUMNS)
    with warehouse.client(database) as client:
        client.command(
            f"CREATE TABLE cases (number UInt32, filter String, {texts}, revenue Nullable(Decimal(18, 6)),"
            " is_identified UInt8, click_ids Map(LowCardinality(String), String), properties String) ENGINE = Memory"
        )
        rows = [row_of(number, *case) for number, case in enumerate(zip(filters, events, strict=True))]
        client.insert("cases", [list(row.values()) for row in rows], column_names=list(rows[0]))
        conditions = macro("event_filter.sql", "filter_conditions", "cases.filter")
        names = macro("event_filter.sql", "named_properties", "read_cases")
        values = macro("event_filter.sql", "event_values", names, "cases")
        found = macro("event_filter.sql", "event_matches", "conditions", "values")
        answer = client.query(
            f"WITH read_cases AS (SELECT *, {conditions} AS conditions FROM cases)"
            f" SELECT {found} FROM (SELECT number, conditions, {values} AS values FROM read_cases AS cases)"
            " ORDER BY number"
        ).result_columns[0]
    return [bool(is_match) for is_match in answer]


def row_of(number: int, filter_: Any, event: dict[str, Any]) -> dict[str, Any]:
    properties = event.get("properties", {})
    return {column: event.get(column, "") for column in COLUMNS} | {
        "number": number,
        "filter": filter_ if isinstance(filter_, str) else json.dumps(filter_),
        "revenue": Decimal(event["revenue"]) if "revenue" in event else None,
        "is_identified": event.get("is_identified", 0),
        "click_ids": event.get("click_ids", {}),
        "properties": properties if isinstance(properties, str) else json.dumps(properties),
    }


# (filter, what the event's properties or columns hold, does it match)
PROPERTY_CASES: list[tuple[Any, dict[str, Any], bool]] = [
    ({"plan": "pro"}, {"plan": "pro"}, True),
    ({"plan": "pro"}, {"plan": "Pro"}, False),
    ({"plan": "pro"}, {}, False),
    ({"plan": {"=": "pro"}}, {"plan": "pro"}, True),
    ({"plan": "pro", "seats": 2}, {"plan": "pro", "seats": 3}, False),
    # numbers as numbers, strings as strings
    ({"n": {">": 9}}, {"n": 10}, True),
    ({"n": {">": 9}}, {"n": "10"}, True),
    ({"n": {">": "9"}}, {"n": "10"}, False),
    ({"n": {">": 9, "<=": 10}}, {"n": 10.0}, True),
    ({"n": {"<": 10}}, {"n": 10}, False),
    ({"n": {"<": -1.5}}, {"n": -2}, True),
    ({"n": {"<": 9}}, {"n": "abc"}, False),
    ({"n": 5}, {"n": "5.0"}, True),
    ({"n": "5"}, {"n": 5}, True),
    ({"n": 12345678901234567}, {"n": 12345678901234568}, False),
    ({"at": {">=": "2024-01-05"}}, {"at": "2024-01-05T10:00"}, True),
    ({"ok": False}, {"ok": False}, True),
    ({"ok": False}, {"ok": True}, False),
    # absent is absent
    ({"n": {">": 9}}, {}, False),
    ({"n": {"<": 9}}, {}, False),
    ({"s": {">": "a"}}, {}, False),
    ({"ok": False}, {}, False),
    ({"n": {"!=": 9}}, {}, True),
    ({"n": {"!=": 9}}, {"n": "abc"}, True),
    ({"n": {"!=": 9}}, {"n": "9"}, False),
    ({"n": None}, {}, True),
    ({"n": None}, {"n": None}, True),
    ({"n": None}, {"n": 1}, False),
    ({"n": {"!=": None}}, {"n": 1}, True),
    ({"s": ""}, {}, True),
    ({"s": {"exists": True}}, {"s": 0}, True),
    ({"s": {"exists": True}}, {}, False),
    ({"s": {"exists": True}}, {"s": None}, False),
    ({"s": {"exists": False}}, {"s": None}, True),
    ({"s": {"exists": False}}, {"s": "x"}, False),
    # several values
    ({"s": {"in": ["a", "b"]}}, {"s": "b"}, True),
    ({"s": {"in": ["a", 7]}}, {"s": 7}, True),
    ({"s": {"in": ["a", "b"]}}, {"s": "ab"}, False),
    ({"s": {"in": []}}, {"s": "a"}, False),
    ({"s": {"in": ["a"]}}, {}, False),
    ({"s": {"in": "abc"}}, {"s": "abc"}, False),
    ({"s": {"contains": "b"}}, {"s": "abc"}, True),
    ({"s": {"contains": "B"}}, {"s": "abc"}, False),
    ({"s": {"contains": "b"}}, {"s": ["a", "b"]}, True),
    ({"s": {"contains": "b"}}, {"s": ["abc"]}, False),
    ({"s": {"contains": 3}}, {"s": [1, 3]}, True),
    ({"s": {"contains": "a"}}, {}, False),
    # what cannot be read matches nothing, and no filter matches all
    ({"s": {}}, {"s": 1}, False),
    ({"s": {"like": "x"}}, {"s": "x"}, False),
    ("not json", {}, False),
    ("[1]", {}, False),
    ('"text"', {}, False),
    ("", {}, True),
    ("{}", {}, True),
    # the `$` name is used instead
    ({"plan": "pro"}, {"$plan": "pro"}, True),
    ({"plan": "pro"}, {"plan": "free", "$plan": "pro"}, False),
]

COLUMN_CASES: list[tuple[Any, dict[str, Any], bool]] = [
    ({"current_url": {"contains": "/x"}}, {"current_url": "https://a/x?y"}, True),
    ({"$current_url": "https://a/x?y"}, {"current_url": "https://a/x?y"}, True),
    ({"browser": "Chrome"}, {"browser": "Safari", "properties": {"$browser": "Chrome"}}, True),
    ({"utm_source": 'g"é/'}, {"utm_source": 'g"é/'}, True),
    ({"utm_source": {"exists": True}}, {}, False),
    ({"event_type": "page", "plan": "a"}, {"event_type": "page", "properties": {"plan": "a"}}, True),
    ({"event_type": "page", "plan": "a"}, {"event_type": "page", "properties": {"plan": "b"}}, False),
    ({"revenue": {">": 0}}, {"revenue": "0.5"}, True),
    ({"revenue": {">=": 0.5}}, {"revenue": "0.5"}, True),
    ({"revenue": {">": 0}}, {}, False),
    ({"is_identified": True}, {"is_identified": 1}, True),
    ({"is_identified": True}, {"is_identified": 0}, False),
    ({"gclid": {"exists": True}}, {"click_ids": {"gclid": "x"}}, True),
    ({"gclid": {"exists": True}}, {}, False),
]

_CASES = [(filter_, {"properties": held}, is_match) for filter_, held, is_match in PROPERTY_CASES] + COLUMN_CASES
FILTERS: list[Any] = [case[0] for case in _CASES]
EVENTS: list[dict[str, Any]] = [case[1] for case in _CASES]
EXPECTED: list[bool] = [case[2] for case in _CASES]
