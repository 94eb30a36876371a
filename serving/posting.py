"""Rows that are posted: judged by the event contract, kept on disk, and only then acknowledged.

Judging is a statement of the warehouse, which costs the same for one row as for a thousand, and so does having a disk
write: whatever comes while one group is at it makes the next group.
"""

import asyncio
import base64
import binascii
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from clickhouse_connect.driver.exceptions import ClickHouseError
from fastapi import APIRouter, Request
from fastapi.responses import ORJSONResponse, Response

from ingest import landing_folder
from ingest.appending import Appender
from ingest.tables import EVENTS, IDENTITY_MAPPINGS
from ingest.verdicts import Verdicts
from serving.answers import NotAnswered
from serving.authorisation import Authorisation, Caller, token_of
from serving.envelopes import BadBody, called, captured, of_tenant, rows_of, unpacked
from serving.refusals import Refused
from warehouse.connection import Warehouse

TABLES = (EVENTS, IDENTITY_MAPPINGS)
# How many rows are judged together at most.
_GROUP = 20_000
_LOOK_SECONDS = 1.0
CALLS = ("batch", "track", "identify", "page", "screen", "group", "alias")


@dataclass
class _Posted:
    """The rows of one request, and what became of them: how many are kept, and how many put aside."""

    table: str
    lines: list[bytes]
    reasons: list[str]
    done: "asyncio.Future[tuple[int, int]]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Posting:
    """Takes rows, a group at a time; one process of a home may. Made when the first rows come."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._waiting: asyncio.Queue[_Posted] = asyncio.Queue()
        self._open: _Open | None = None

    async def post(self, table: str, lines: Sequence[bytes], tenant: str) -> tuple[int, int]:
        """How many of these rows are kept for the next load, and how many are put aside with the reason.

        They are on disk when this returns. Raises NotAnswered if they are not.
        """
        judged = [of_tenant(line, tenant) for line in lines]
        posted = _Posted(table, [line for line, _ in judged], [reason for _, reason in judged])
        if not posted.lines:
            return 0, 0
        self._waiting.put_nowait(posted)
        return await posted.done

    async def work_for_ever(self) -> None:
        """Take what waits, group by group; when this is cancelled, the files are closed."""
        try:
            while True:
                group = await self._group()
                if group:
                    await self._take(group)
                elif self._open:
                    await asyncio.to_thread(self._open.rotate)
        finally:
            if self._open:
                self._open.close()

    async def _group(self) -> list[_Posted]:
        group: list[_Posted] = []
        with suppress(asyncio.TimeoutError):
            group.append(await asyncio.wait_for(self._waiting.get(), _LOOK_SECONDS))
            while not self._waiting.empty() and sum(len(posted.lines) for posted in group) < _GROUP:
                group.append(self._waiting.get_nowait())
        return group

    async def _take(self, group: Sequence[_Posted]) -> None:
        try:
            if self._open is None:
                self._open = await asyncio.to_thread(_Open, self._warehouse)
            await asyncio.to_thread(self._open.take, group)
        except Exception as error:
            what = "The disk" if isinstance(error, OSError) else "The warehouse"
            known = isinstance(error, OSError | ClickHouseError)
            failure = NotAnswered(f"{what} did not take the rows; send them again.") if known else error
            for posted in group:
                if not posted.done.done():
                    posted.done.set_exception(failure)
            return
        for posted in group:
            if not posted.done.done():  # its client may be gone
                aside = sum(map(bool, posted.reasons))
                posted.done.set_result((len(posted.lines) - aside, aside))


class _Open:
    """The files that rows go to, and what judges them."""

    def __init__(self, warehouse: Warehouse) -> None:
        landing_folder.create(warehouse.settings)
        home = warehouse.settings.home
        self._kept = {table: Appender(home / "landing" / table) for table in TABLES}
        self._aside = {table: Appender(home / "quarantine" / table) for table in TABLES}
        self._verdicts = Verdicts(warehouse)

    def take(self, group: Sequence[_Posted]) -> None:
        """Judge the rows and have them on disk; the reasons are written into the group."""
        for table in TABLES:
            posted = [one for one in group if one.table == table]
            waiting = [(one, place) for one in posted for place, reason in enumerate(one.reasons) if not reason]
            if waiting:
                verdicts = self._verdicts.of(table, [one.lines[place] for one, place in waiting])
                for (one, place), reason in zip(waiting, verdicts, strict=True):
                    one.reasons[place] = reason
            rows = [row for one in posted for row in zip(one.lines, one.reasons, strict=True)]
            at = _now()
            self._aside[table].append(
                [
                    orjson.dumps({"at": at, "reason": reason, "row": line.decode(errors="replace")})
                    for line, reason in rows
                    if reason
                ]
            )
            self._kept[table].append([line for line, reason in rows if not reason])

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

    async def keep(request: Request, table: str, token: str, lines: Callable[[], list[bytes]]) -> Response:
        try:
            caller: Caller = await authorisation.caller(token, "append")
        except Refused as error:
            request.state.caller = error.caller
            raise
        request.state.caller = caller
        kept, aside = await posting.post(table, lines(), caller.tenant_id)
        request.state.rows = kept
        return ORJSONResponse({"successful_rows": kept, "quarantined_rows": aside}, status_code=202)

    async def body_of(request: Request) -> bytes:
        try:
            return unpacked(await request.body(), request.headers.get("Content-Encoding", ""))
        except BadBody as error:
            raise Refused(error.status, str(error)) from None

    async def document_of(request: Request) -> Any:
        try:
            return orjson.loads(await body_of(request))
        except orjson.JSONDecodeError:
            raise Refused(400, "The body is no JSON.") from None

    @routes.post("/v0/events", summary="Append rows: JSON, NDJSON or an array; gzip.", status_code=202)
    async def events(request: Request) -> Response:
        request.state.endpoint = "append"
        name = request.query_params.get("name", "")
        if name not in TABLES:
            raise Refused(400, f"The parameter name is {name!r}; it can be {', '.join(TABLES)}.")
        text = await body_of(request)
        try:
            lines = rows_of(text)
        except BadBody as error:
            raise Refused(error.status, str(error)) from None
        return await keep(request, name, token_of(request), lambda: lines)

    async def capture(request: Request) -> Response:
        request.state.endpoint = "capture"
        document = await document_of(request)
        try:
            token, lines = captured(document, _now())
        except BadBody as error:
            raise Refused(error.status, str(error)) from None
        return await keep(request, EVENTS, token or token_of(request), lambda: lines)

    for address in ("/capture", "/e", "/i/v0/e", "/batch"):
        for end in ("", "/"):
            routes.add_api_route(
                address + end, capture, methods=["POST"], status_code=202, include_in_schema=not end,
                summary="Append events as PostHog's SDKs send them.",
            )  # fmt: skip

    def call_of(kind: str) -> Callable[[Request], Any]:
        async def call(request: Request) -> Response:
            request.state.endpoint = "call"
            document = await document_of(request)
            try:
                lines = called(document, kind, _now())
            except BadBody as error:
                raise Refused(error.status, str(error)) from None
            return await keep(request, EVENTS, _write_key(request) or token_of(request), lambda: lines)

        return call

    for kind in CALLS:
        routes.add_api_route(
            f"/v1/{kind}", call_of(kind), methods=["POST"], status_code=202,
            summary="Append calls as Segment's SDKs send them.", operation_id=f"call_{kind}",
        )  # fmt: skip
    return routes


def _write_key(request: Request) -> str:
    """The key that Segment's SDKs send: the name of a user without a password."""
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "basic":
        return ""
    with suppress(binascii.Error, UnicodeDecodeError):
        return base64.b64decode(text).decode().partition(":")[0]
    return ""


def _now() -> str:
    return datetime.now(UTC).isoformat()
