"""The parameters of a request, checked and in the form that the warehouse takes them in."""

import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from serving.pipes import Parameter, Pipe

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d{1,6})?)Z?")


class BadParameter(ValueError):
    """A parameter that makes no sense; its text names it."""


def checked(pipe: Pipe, given: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Every parameter of an endpoint by its name: what was given, else its default, else None.

    Moments are texts as ClickHouse reads them. Raises BadParameter for an unknown one, one that is given twice, a
    required one that is missing or empty, and a value that is none of its type.
    """
    sent: dict[str, str] = {}
    for name, value in given:
        if name not in pipe.all_parameters:
            raise BadParameter(f"{pipe.name} has no parameter {name!r}; it has {', '.join(pipe.all_parameters)}.")
        if name in sent:
            raise BadParameter(f"The parameter {name} is given twice.")
        sent[name] = value
    values = {
        name: _value(name, parameter, sent[name]) if name in sent else parameter.default
        for name, parameter in pipe.all_parameters.items()
    }
    for name, parameter in pipe.all_parameters.items():
        if parameter.required and values[name] in (None, ""):
            raise BadParameter(f"The parameter {name} is required.")
    if pipe.one_of and all(values[name] is None for name in pipe.one_of):
        raise BadParameter(f"One of the parameters {' and '.join(pipe.one_of)} is required.")
    if {"user_id", "distinct_id"} <= set(pipe.one_of) and None not in (values["user_id"], values["distinct_id"]):
        raise BadParameter("Give user_id or distinct_id, not both.")
    return values


def _value(name: str, parameter: Parameter, text: str) -> Any:
    if "\0" in text:
        raise BadParameter(f"The parameter {name} holds a NUL.")
    if parameter.type in ("integer", "number"):
        return _number(name, parameter, text)
    if parameter.type in ("from", "to"):
        return _moment(name, text, is_end=parameter.type == "to")
    if parameter.type == "boolean":
        if text not in ("0", "1"):
            raise BadParameter(f"The parameter {name} is {text!r}, which is neither 0 nor 1.")
        return int(text)
    if parameter.choices:
        found = {choice.lower(): choice for choice in parameter.choices}.get(text.lower())
        if found is None:
            raise BadParameter(f"The parameter {name} is {text!r}; it can be {', '.join(parameter.choices)}.")
        return found
    return text


def _number(name: str, parameter: Parameter, text: str) -> int | float:
    is_whole = parameter.type == "integer"
    try:
        number = int(text) if is_whole else float(text)
    except ValueError:
        raise BadParameter(f"The parameter {name} is {text!r}, which is no {'whole ' * is_whole}number.") from None
    if not math.isfinite(number):
        raise BadParameter(f"The parameter {name} is {text!r}, which is no number.")
    if parameter.minimum is not None and number < parameter.minimum:
        raise BadParameter(f"The parameter {name} is {text}; it can be {parameter.minimum:g} at least.")
    if parameter.maximum is not None and number > parameter.maximum:
        raise BadParameter(f"The parameter {name} is {text}; it can be {parameter.maximum:.0f} at most.")
    return number


def _moment(name: str, text: str, *, is_end: bool) -> str:
    found = _MOMENT.fullmatch(text)
    day, time = (found[1], found[2]) if found else (text, "23:59:59.999999" if is_end else "00:00:00")
    try:
        if not found and not _DAY.fullmatch(text):
            raise ValueError
        datetime.fromisoformat(f"{day}T{time}")
    except ValueError:
        form = "YYYY-MM-DD or YYYY-MM-DD hh:mm:ss"
        raise BadParameter(f"The parameter {name} is {text!r}, which is not of the form {form}.") from None
    return f"{day} {time}"


def canonical(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The parameters in one order, whatever order they came in: what an answer depends on."""
    return sorted(values.items())
