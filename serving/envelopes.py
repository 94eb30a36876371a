"""The rows in the body of a request, whatever its shape: lines as they were sent, or members of an envelope."""

import codecs
import json
import zlib
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import orjson

# Of the body, packed and unpacked.
MAX_BYTES = 10 << 20
MAX_UNPACKED = 64 << 20

_GZIP = ("gzip", "x-gzip")

NOT_OF_THE_KEY = "is not the tenant of the key"


class BadBody(ValueError):
    """A body that cannot be read; `status` is 400, 413 if it is too large, 415 if it is packed in another way."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        self.status = status
        super().__init__(sentence)


def unpacked(body: bytes, encoding: str) -> bytes:
    """The body without its gzip, of which its first bytes tell, too. Raises BadBody."""
    encoding = encoding.strip().lower()
    if encoding not in ("", "identity", *_GZIP):
        raise BadBody(f"The body is in {encoding[:40]!r}; it can be plain or gzip.", 415)
    if encoding not in _GZIP and not body.startswith(b"\x1f\x8b"):
        return body
    text = bytearray()
    while body:  # a gzip may have several parts, one after the other
        machine = zlib.decompressobj(wbits=31)
        try:
            text += machine.decompress(body, MAX_UNPACKED + 1 - len(text))
        except zlib.error:
            raise BadBody("The body is not gzip, though it says so.") from None
        if len(text) > MAX_UNPACKED:
            raise BadBody(f"A body has {MAX_UNPACKED >> 20} MB at most when it is unpacked; send several.", 413)
        if not machine.eof:
            raise BadBody("The gzip of the body ends too early.")
        body = machine.unused_data
    return bytes(text)


def rows_of(text: bytes) -> list[bytes]:
    """The rows of an array, of one object, or of NDJSON, one line each; of NDJSON as they were sent."""
    stripped = text.removeprefix(codecs.BOM_UTF8).strip()
    if stripped.startswith(b"["):
        try:
            return [orjson.dumps(row) for row in orjson.loads(stripped)]
        except orjson.JSONDecodeError as error:
            raise BadBody(f"The body is no JSON array: {error}.") from None
    if b"\n" in stripped:
        try:
            return [orjson.dumps(orjson.loads(stripped))]  # one object on several lines
        except orjson.JSONDecodeError:
            pass
    return [line.strip() for line in stripped.split(b"\n") if line.strip()]


def captured(document: Any, at: datetime) -> tuple[str, list[bytes]]:
    """The key and the events of a body that PostHog's SDKs send: one event, a list of them, or a batch.

    An event without a time happened when it came, `at`, or `offset` milliseconds before. Raises BadBody.
    """
    if isinstance(document, list):
        envelope: dict[str, Any] = {}
        events: Any = document
    elif isinstance(document, dict) and isinstance(document.get("batch"), list):
        envelope, events = document, document["batch"]
    elif isinstance(document, dict):
        envelope, events = document, [document]
    else:
        raise BadBody("The body holds no event.")
    token = str(envelope.get("api_key") or envelope.get("token") or _token_inside(events) or "")
    # An event is recognised by having a key, whatever it is.
    return token, [_line(event, {"api_key": None, "timestamp": _time_of(event, at)}) for event in events]


def called(document: Any, kind: str, at: datetime) -> tuple[str, list[bytes]]:
    """The key and the calls of a body that Segment's SDKs send: a batch, or one call of the kind that the address says.

    The key is '' if it is not in the body. What a batch says of all its calls is written into each. Raises BadBody.
    """
    if isinstance(document, dict) and isinstance(document.get("batch"), list):
        of_all = {name: document[name] for name in ("context", "sentAt") if document.get(name)}
        calls = [_with(of_all, call) for call in document["batch"]]
        listed = [document, *document["batch"]]
    elif isinstance(document, dict) and kind != "batch":
        calls = [document | {"type": kind}]
        listed = [document]
    else:
        raise BadBody("The body holds no list `batch`.")
    keys = [str(one["writeKey"]) for one in listed if isinstance(one, dict) and one.get("writeKey")]
    return (keys or [""])[0], [_line(call, {"timestamp": _time_of_call(call, at)}) for call in calls]


def _with(of_all: dict[str, Any], call: Any) -> Any:
    """A call with what its batch says of all calls; its own word takes precedence, in `context` member by member."""
    if not isinstance(call, dict):
        return call
    contexts = [one.get("context") for one in (of_all, call)]
    context = {name: value for one in contexts if isinstance(one, dict) for name, value in one.items()}
    return of_all | call | ({"context": context} if context else {})


def of_tenant(line: bytes, tenant: str) -> tuple[bytes, str]:
    """The line with the tenant that the key opens, if it names none; and why it may not be, '' if it may.

    A row may name its tenant in a way that is not seen here (twice, say): what a load would take it for has to be asked
    as well.
    """
    row = _row_of(line)
    if row is None:
        return line, ""  # the contract says what is wrong with it
    for name in ("tenant_id", "location_id"):
        if row.get(name) not in (None, "", tenant):
            return line, f"{name} {NOT_OF_THE_KEY}"
    if row.get("tenant_id") == tenant:
        return line, ""
    # The first of two members of a name is the one that is read.
    rest = line[1:].lstrip()
    return b'{"tenant_id":' + orjson.dumps(tenant) + (b"," if rest[:1] != b"}" else b"") + rest, ""


def _row_of(line: bytes) -> dict[str, Any] | None:
    """The row of a line, None if it is none; Python's NaN and half a surrogate pair are read, as a load does."""
    if not line.startswith(b"{"):
        return None
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return None
    return row if isinstance(row, dict) else None


def _line(event: Any, more: dict[str, Any]) -> bytes:
    """An event as a line, without the key that it may hold, and with what its envelope says."""
    if not isinstance(event, dict):
        return orjson.dumps(event)
    kept = {name: value for name, value in event.items() if name not in ("token", "writeKey")} | more
    if isinstance(kept.get("properties"), dict):
        kept["properties"] = {name: value for name, value in kept["properties"].items() if name != "token"}
    return orjson.dumps(kept)


def _time_of(event: Any, at: datetime) -> Any:
    """The time that an event says; in a browser it waits, and then says how long."""
    if not isinstance(event, dict) or event.get("timestamp"):
        return event.get("timestamp") if isinstance(event, dict) else None
    offset = event.get("offset")
    with suppress(OverflowError):
        if isinstance(offset, int | float) and offset > 0:
            return (at - timedelta(milliseconds=offset)).isoformat()
    return at.isoformat()


def _time_of_call(call: Any, at: datetime) -> Any:
    """The first of the times that a call says."""
    if not isinstance(call, dict):
        return None
    said = (call.get(name) for name in ("timestamp", "originalTimestamp", "sentAt"))
    return next((time for time in said if time), at.isoformat())


def _token_inside(events: Iterable[Any]) -> str:
    """The key that posthog-js writes into the properties of its events."""
    for event in events:
        if isinstance(event, dict):
            properties = event.get("properties")
            found = event.get("api_key") or (properties.get("token") if isinstance(properties, dict) else "")
            if found:
                return str(found)
    return ""
