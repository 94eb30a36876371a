"""The rows in the body of a request, whatever its shape: lines as they were sent, or members of an envelope."""

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

# Of the body, packed and unpacked.
MAX_BYTES = 10 << 20
MAX_UNPACKED = 64 << 20


class BadBody(ValueError):
    """A body that cannot be read at all; `status` is 400, or 413 if it is too large."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        self.status = status
        super().__init__(sentence)


def unpacked(body: bytes, encoding: str) -> bytes:
    """The body without its gzip, of which its first bytes tell, too. Raises BadBody."""
    if len(body) > MAX_BYTES:
        raise BadBody(f"A body has {MAX_BYTES >> 20} MB at most; send several.", 413)
    if encoding.lower() not in ("gzip", "x-gzip") and not body.startswith(b"\x1f\x8b"):
        return body
    machine = zlib.decompressobj(wbits=31)
    try:
        text = machine.decompress(body, MAX_UNPACKED)
    except zlib.error:
        raise BadBody("The body is not gzip, though it says so.") from None
    if machine.unconsumed_tail:
        raise BadBody(f"A body has {MAX_UNPACKED >> 20} MB at most when it is unpacked; send several.", 413)
    if not machine.eof:
        raise BadBody("The gzip of the body ends too early.")
    return text


def rows_of(text: bytes) -> list[bytes]:
    """The rows of an array, of one object, or of NDJSON, one line each; of NDJSON as they were sent."""
    stripped = text.strip()
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


def captured(document: Any, at: str) -> tuple[str, list[bytes]]:
    """The key and the events of a body that PostHog's SDKs send: one event, a list of them, or a batch.

    An event without a time happened when it came, `at`. Raises BadBody.
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
    return token, [_timed(event, at, ("timestamp",)) for event in events]


def called(document: Any, kind: str, at: str) -> list[bytes]:
    """The calls of a body that Segment's SDKs send: a batch, or one call of the kind that the address says."""
    if isinstance(document, dict) and isinstance(document.get("batch"), list):
        calls = document["batch"]
    elif isinstance(document, dict) and kind != "batch":
        calls = [document | {"type": kind}]
    else:
        raise BadBody("The body holds no list `batch`.")
    return [_timed(call, at, ("timestamp", "originalTimestamp", "sentAt")) for call in calls]


def of_tenant(line: bytes, tenant: str) -> tuple[bytes, str]:
    """The line with the tenant that the key opens, if it names none; and why it may not be, '' if it may."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line, ""  # the contract says what is wrong with it
    if not isinstance(row, dict) or not line.startswith(b"{"):
        return line, ""
    for name in ("tenant_id", "location_id"):
        if row.get(name) not in (None, "", tenant):
            return line, f"{name} is not the tenant of the key"
    if row.get("tenant_id") == tenant:
        return line, ""
    if "tenant_id" in row:
        return orjson.dumps(row | {"tenant_id": tenant}), ""
    rest = line[1:].lstrip()
    return b'{"tenant_id":' + orjson.dumps(tenant) + (b"," if rest[:1] != b"}" else b"") + rest, ""


def _timed(event: Any, at: str, names: Sequence[str]) -> bytes:
    """An event as a line, without the key that it may hold."""
    if not isinstance(event, dict):
        return orjson.dumps(event)
    kept = {name: value for name, value in event.items() if name not in ("api_key", "token")}
    if isinstance(kept.get("properties"), dict):
        kept["properties"] = {name: value for name, value in kept["properties"].items() if name != "token"}
    if not any(kept.get(name) for name in names):
        kept["timestamp"] = at
    return orjson.dumps(kept)


def _token_inside(events: Iterable[Any]) -> str:
    """The key that posthog-js writes into the properties of its events."""
    for event in events:
        if isinstance(event, dict):
            properties = event.get("properties")
            found = event.get("api_key") or (properties.get("token") if isinstance(properties, dict) else "")
            if found:
                return str(found)
    return ""
