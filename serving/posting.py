"""Rows that are posted: judged by the event contract, kept on disk, and only then acknowledged.

Judging is a statement of the warehouse, which costs the same for one row as for a thousand, and so does having a disk
write: whatever comes while one group is at it makes the next group.
"""

import asyncio
import base64
import binascii
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson
from clickhouse_connect.driver.exceptions import ClickHouseError
from fastapi import APIRouter, Request
from fastapi.responses import Response

from ingest import landing_folder, quarantine
from ingest.appending import Appender
from ingest.landing_folder import TABLES
from ingest.tables import EVENTS
from ingest.verdicts import Verdicts
from serving.answers import NotAnswered
from serving.authorisation import Authorisation, Caller, token_of
from serving.envelopes import MAX_BYTES, NOT_OF_THE_KEY, BadBody, called, captured, of_tenant, rows_of, unpacked
from serving.refusals import Refused, answer
from warehouse.connection import Warehouse
from warehouse.errors import FootfallError

T = TypeVar("T")

# How many rows are judged together at most.
_GROUP = 20_000
# How many bytes of rows may wait; who comes then is told to come again.
_WAITING_BYTES = 256 << 20
_LOOK_SECONDS = 1.0
# A group waits so long for those who were answered together to come together again; else each waits for two groups.
_GATHER_SECONDS = 0.03
# As servers and browsers address them.
_CALLS = ("batch", "track", "identify", "page", "screen", "group", "alias")
_ADDRESSES = {name: kind for kind in _CALLS for name in (kind, kind[0])}


@dataclass
class _Posted:
    """The rows of one request, and what became of them: how many are kept, and how many put aside."""

    table: str
    tenant: str
    lines: list[bytes]
    reasons: list[str]
    done: "asyncio.Future[tuple[int, int]]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(map(len, self.lines))


class Posting:
    """Takes rows, a group at a time; one process of a home may. Made when the first rows come."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._waiting: asyncio.Queue[_Posted] = asyncio.Queue()
        self._waiting_bytes = 0
        self._open: _Open | None = None

    async def post(self, table: str, lines: Sequence[bytes], tenant: str) -> tuple[int, int]:
        """How many of these rows are kept for the next load, and how many are put aside with the reason.

        They are on disk when this returns. Raises NotAnswered if they are not.
        """
        judged = await asyncio.to_thread(lambda: [of_tenant(line, tenant) for line in lines])
        posted = _Posted(table, tenant, [line for line, _ in judged], [reason for _, reason in judged])
        if not posted.lines:
            return 0, 0
        if self._waiting_bytes > _WAITING_BYTES:
            raise NotAnswered("Too many rows wait already; send them again in a moment.")
        self._waiting_bytes += posted.size
        self._waiting.put_nowait(posted)
        try:
            return await posted.done
        finally:
            self._waiting_bytes -= posted.size

    async def work_for_ever(self) -> None:
        """Take what waits, group by group; when this is cancelled, the files are closed."""
        try:
            while True:
                group = await self._group()
                # each table by itself: what one cannot take, the other one may
                for table in TABLES:
                    if of_table := [posted for posted in group if posted.table == table]:
                        await self._take(table, of_table)
                if self._open and not group:
                    with suppress(OSError):  # a file that has no name of its own yet is tried again
                        await asyncio.to_thread(self._open.rotate)
        finally:
            if self._open:
                self._open.close()

    async def _group(self) -> list[_Posted]:
        group: list[_Posted] = []
        with suppress(asyncio.TimeoutError):
            group.append(await asyncio.wait_for(self._waiting.get(), _LOOK_SECONDS))
            await asyncio.sleep(_GATHER_SECONDS)
            while not self._waiting.empty() and sum(len(posted.lines) for posted in group) < _GROUP:
                group.append(self._waiting.get_nowait())
        return group

    async def _take(self, table: str, group: Sequence[_Posted]) -> None:
        try:
            if self._open is None:
                self._open = await asyncio.to_thread(_Open, self._warehouse)
            await asyncio.to_thread(self._open.take, table, group)
        except Exception as error:
            failure = _not_taken(error)
            for posted in group:
                if not posted.done.done():
                    posted.done.set_exception(failure)
            return
        for posted in group:
            if not posted.done.done():  # its client may be gone
                aside = sum(map(bool, posted.reasons))
                posted.done.set_result((len(posted.lines) - aside, aside))


def _not_taken(error: Exception) -> Exception:
    """What the clients are told whose rows are not on disk."""
    if isinstance(error, FootfallError):
        # it names files of the home, which are nobody's business but the operator's
        logging.getLogger(__name__).error("Posted rows are not taken: %s", error)
        return NotAnswered("Rows are not taken now: something of the service has to be put right. Send them again.")
    if isinstance(error, OSError | ClickHouseError):
        what = "The disk" if isinstance(error, OSError) else "The warehouse"
        return NotAnswered(f"{what} did not take the rows; send them again.")
    return error


class _Open:
    """The files that rows go to, and what judges them."""

    def __init__(self, warehouse: Warehouse) -> None:
        landing_folder.create(warehouse.settings)
        landing = landing_folder.folder(warehouse.settings)
        self._kept = {table: Appender(landing / table) for table in TABLES}
        self._aside = {table: Appender(quarantine.folder(warehouse.settings) / table) for table in TABLES}
        self._verdicts = Verdicts(warehouse)

    def take(self, table: str, group: Sequence[_Posted]) -> None:
        """Judge the rows of a table and have them on disk; the reasons are written into the group."""
        waiting = [(one, place) for one in group for place, reason in enumerate(one.reasons) if not reason]
        if waiting:
            verdicts = self._verdicts.of(table, [one.lines[place] for one, place in waiting])
            for (one, place), verdict in zip(waiting, verdicts, strict=True):
                is_of_another = bool(verdict.tenants - {one.tenant})
                one.reasons[place] = verdict.reason or (f"tenant_id {NOT_OF_THE_KEY}" if is_of_another else "")
        self._aside[table].append(
            [
                quarantine.line_of(line, reason, one.tenant)
                for one in group
                for line, reason in zip(one.lines, one.reasons, strict=True)
                if reason
            ]
        )
        self._kept[table].append(
            [line for one in group for line, reason in zip(one.lines, one.reasons, strict=True) if not reason]
        )

    def rotate(self) -> None:
        """Let files that are old enough be loaded."""
        for appender in (*self._kept.values(), *self._aside.values()):
            appender.rotate()

    def close(self) -> None:
        """Let all files be loaded."""
        for appender in (*self._kept.values(), *self._aside.values()):
            appender.close()
        with suppress(ClickHouseError, OSError):
            self._verdicts.close()


def router(authorisation: Authorisation, posting: Posting) -> APIRouter:
    """The addresses that rows are posted to."""
    routes = APIRouter(tags=["append"])

    async def keep(request: Request, caller: Caller, table: str, lines: Sequence[bytes]) -> Response:
        kept, aside = await posting.post(table, lines, caller.tenant_id)
        request.state.rows = kept
        return answer({"successful_rows": kept, "quarantined_rows": aside}, 202)

    async def unpack(request: Request, read: Callable[[bytes], T]) -> T:
        """What is in the body, worked out beside the event loop: it may be long."""
        try:
            body = await _body_of(request)
            return await asyncio.to_thread(lambda: read(unpacked(body, request.headers.get("Content-Encoding", ""))))
        except orjson.JSONDecodeError:
            raise Refused(400, "The body is no JSON.") from None
        except BadBody as error:
            raise Refused(error.status, str(error)) from None

    @routes.post("/v0/events", summary="Append rows: JSON, NDJSON or an array; gzip.", status_code=202)
    async def events(request: Request) -> Response:
        request.state.endpoint = "append"
        caller = await authorisation.caller_of(request, token_of(request), "append")
        name = request.query_params.get("name", "")
        if name not in TABLES:
            raise Refused(400, f"The parameter name is {name!r}; it can be {', '.join(TABLES)}.")
        return await keep(request, caller, name, await unpack(request, rows_of))

    async def capture(request: Request) -> Response:
        request.state.endpoint = "capture"
        token, lines = await unpack(request, lambda text: captured(orjson.loads(text), _now()))
        caller = await authorisation.caller_of(request, token or token_of(request), "append")
        return await keep(request, caller, EVENTS, lines)

    for address in ("/capture", "/e", "/i/v0/e", "/batch"):
        for end in ("", "/"):
            routes.add_api_route(
                address + end, capture, methods=["POST"], status_code=202, include_in_schema=not end,
                summary="Append events as PostHog's SDKs send them.",
            )  # fmt: skip

    def call_of(kind: str) -> Callable[[Request], Any]:
        async def call(request: Request) -> Response:
            request.state.endpoint = "call"
            key, lines = await unpack(request, lambda text: called(orjson.loads(text), kind, _now()))
            token = _write_key(request) or key or token_of(request)
            caller = await authorisation.caller_of(request, token, "append")
            return await keep(request, caller, EVENTS, lines)

        return call

    for address, kind in _ADDRESSES.items():
        routes.add_api_route(
            f"/v1/{address}", call_of(kind), methods=["POST"], status_code=202, include_in_schema=address in _CALLS,
            summary="Append calls as Segment's SDKs send them.", operation_id=f"call_{address}",
        )  # fmt: skip
    return routes


async def _body_of(request: Request) -> bytes:
    """The body, of which no more is read than is allowed. Raises BadBody."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise BadBody(f"A body has {MAX_BYTES >> 20} MB at most; send several.", 413)
    return bytes(body)


def _write_key(request: Request) -> str:
    """The key that Segment's SDKs send: the name of a user without a password."""
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "basic":
        return ""
    with suppress(binascii.Error, UnicodeDecodeError):
        return base64.b64decode(text).decode().partition(":")[0]
    return ""


def _now() -> datetime:
    return datetime.now(UTC)
