"""Paths into a row: `context.campaign.source`, `properties."a.b"`, `items[0].id`, `event_params[page_location]`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from warehouse.errors import UsageError


@dataclass(frozen=True)
class Place:
    """The element of a list by its place, from 0 on."""

    index: int


@dataclass(frozen=True)
class Named:
    """The value of the element that has this name, in a list of keys (or names) and values."""

    name: str


Step = str | Place | Named
Path = tuple[Step, ...]

# What may stand in the value of an element, by its type; GA4 writes one of them and leaves the others out.
TYPED_VALUES = ("string_value", "int_value", "float_value", "double_value")

_STEP = re.compile(
    r"""
    "(?P<quoted>[^"]+)"
    | (?P<name>[^.\[\]"]+)
    | \[(?P<place>[0-9]+)\]
    | \["?(?P<element>[^\]"]+)"?\]
    """,
    re.VERBOSE,
)


def parsed(text: str) -> Path:
    """A path as its steps. Raises UsageError for a text that is none."""
    steps: list[Step] = []
    position = 0
    while position < len(text):
        if steps and text[position] == ".":
            position += 1
        elif steps and text[position] != "[":
            break
        found = _STEP.match(text, position)
        if found is None:
            break
        steps.append(_step(found))
        position = found.end()
    if not steps or position < len(text) or not isinstance(steps[0], str):
        raise UsageError(
            f"{text!r} is not a path into a row.",
            'Write it like context.campaign.source, items[0].id, event_params[page_location] or "a name.with dots".',
        )
    return tuple(steps)


def alternatives(text: str) -> list[Path]:
    """What a user's path may mean: the name of one column, whatever characters it has, or a way into the row."""
    try:
        path = parsed(text)
    except UsageError:
        return [(text,)]
    return [path] if len(path) == 1 else [(text,), path]


def _step(found: re.Match[str]) -> Step:
    if found["place"] is not None:
        return Place(int(found["place"]))
    if found["element"] is not None:
        return Named(found["element"])
    return found["quoted"] or found["name"]


def text_of(path: Path) -> str:
    """A path as one writes it."""
    text = ""
    for step in path:
        if isinstance(step, Place):
            text += f"[{step.index}]"
        elif isinstance(step, Named):
            text += f"[{step.name}]"
        else:
            quoted = f'"{step}"' if re.search(r"[.\[\]]", step) else step
            text += f".{quoted}" if text else quoted
    return text


def is_present(row: Any, path: Sequence[Step]) -> bool:
    """Whether a row, parsed from JSON, has what the path leads to; a value of null is there as well."""
    if not path:
        return True
    step, rest = path[0], path[1:]
    if isinstance(step, str):
        return isinstance(row, Mapping) and step in row and is_present(row[step], rest)
    if not isinstance(row, list):
        return False
    if isinstance(step, Place):
        return step.index < len(row) and is_present(row[step.index], rest)
    return any(isinstance(one, Mapping) and step.name in (one.get("key"), one.get("name")) for one in row)
