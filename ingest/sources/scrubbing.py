"""JSON without secrets: what stands under a key that reads as one becomes `***`, at any depth."""

import json
from typing import Any

import orjson

from ingest.sources.contract import SECRET

_INSTEAD = "***"


def scrubbed(text: str | None) -> str | None:
    """A JSON text without secrets, its keys in order; a text that is no JSON is none at all."""
    if text is None:
        return None
    try:
        value = json.loads(text, parse_constant=lambda _: None)
    except ValueError:
        return None
    return orjson.dumps(_scrubbed(value), option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str).decode()


def _scrubbed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _INSTEAD if SECRET.search(key) else _scrubbed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_scrubbed(one) for one in value]
    # integers beyond 64 bits are not for orjson
    return float(value) if isinstance(value, int) and not -(2**63) <= value < 2**64 else value
