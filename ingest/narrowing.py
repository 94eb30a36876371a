"""A statement made for one file: it looks only for what the file's first rows have.

Most paths of a contract are never there, and looking for them costs more than all else. A row with a name that the
first rows do not have is left for the statement that looks for everything, so the result is the same.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson

from ingest import paths
from ingest.contract import Contract, Rule

# A name that is written with escapes is hidden: rows with any of these are left as well. Letters, digits and signs of
# ASCII are written so by nobody without need, all others by many.
_HIDDEN_ASCII = r"\\u00[2-7]"
_HIDDEN = r"\\u"


def names_in(head: bytes, rows: Iterable[Any]) -> frozenset[str] | None:
    """The names in a file's first rows, at any depth; None if its bytes hide some, or there is no row to look at."""
    if re.search(_HIDDEN_ASCII.encode(), head):
        return None
    found: set[str] = set()
    waiting = list(rows)
    if not waiting:
        return None
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            found.update(one)
            # an element of a list of keys and values
            found.update(one[key] for key in ("key", "name") if isinstance(one.get(key), str))
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str) and one.lstrip().startswith(("{", "[")):
            # JSON inside of a text is read as JSON
            with suppress(orjson.JSONDecodeError):
                waiting.append(orjson.loads(one))
    return frozenset(found)


def names_of(path: paths.Path) -> set[str]:
    """The names that a row must have for there to be something at a path."""
    return {step.name if isinstance(step, paths.Named) else step for step in path if not isinstance(step, paths.Place)}


def pattern(all_paths: Iterable[paths.Path], seen: frozenset[str]) -> str:
    """The pattern of rows with a name of these paths that is none of the seen ones."""
    unseen = sorted(set().union(*(names_of(path) for path in all_paths)) - seen)
    hidden = _HIDDEN_ASCII if all(name.isascii() for name in unseen) else _HIDDEN
    # inside of a text that is JSON itself, a backslash stands before the quote
    return f'"{any_of(unseen)}\\\\*"|{hidden}' if unseen else hidden


def any_of(words: Iterable[str]) -> str:
    """The pattern of a text with any of these words."""
    return f"(?:{'|'.join(map(_escaped, words))})"


def _escaped(name: str) -> str:
    return re.sub(r"([^A-Za-z0-9_ -])", r"\\\1", name)


def narrowed(contract: Contract, seen: frozenset[str]) -> Contract:
    """The contract without the paths at which rows of only these names have nothing."""
    fields = {name: _narrowed(rule, seen) for name, rule in contract.fields.items()}
    signatures = [one for one in contract.recognised_by if all(_is_there(text, seen) for text in one)]
    kept = {name: rule for name, rule in fields.items() if rule is not None}
    return contract.model_copy(update={"fields": kept, "recognised_by": signatures})


def _is_there(text: str, seen: frozenset[str]) -> bool:
    return names_of(paths.parsed(text)) <= seen


def _narrowed(rule: Rule, seen: frozenset[str]) -> Rule | None:
    """The rule without the paths that lead nowhere; None if it reads nothing then."""
    if rule.constant is not None or rule.rest:
        return rule
    if not all(_is_there(path, seen) for path in rule.where):
        return None
    kept: dict[str, Sequence[Any]] = {
        name: [text for text in getattr(rule, name) if _is_there(text, seen)] for name in ("from_", "merge", "pairs")
    }
    kept["first_of"] = [one for way in rule.first_of if (one := _narrowed(way, seen)) is not None]
    kept["join"] = rule.join if all(_is_there(part, seen) for part in rule.join if isinstance(part, str)) else []
    if any(kept.values()):
        return rule.model_copy(update=kept)
    return Rule(constant=rule.default) if rule.default else None
