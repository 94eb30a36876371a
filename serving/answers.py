"""Questions to the warehouse as the user that can only read, and the answers as they come."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from clickhouse_connect.driver.binding import format_bind_value

from warehouse.connection import Warehouse

# What the formats are called at the end of an address, in ClickHouse, and over HTTP.
FORMATS = {
    "json": ("JSON", "application/json"),
    "csv": ("CSVWithNames", "text/csv; charset=utf-8"),
    "ndjson": ("JSONEachRow", "application/x-ndjson"),
    "parquet": ("Parquet", "application/vnd.apache.parquet"),
}
# The only row of an answer, as an object.
OBJECT = "object"
_FORMATS = FORMATS | {OBJECT: ("JSONEachRow", "application/json")}

_PUBLISHED = """
SELECT state, tupleElement(now_build, 'build_id'), version
FROM {raw:Identifier}.publish_journal FINAL
WHERE database = {published:String}
"""
# As often is asked again when tables are swapped meanwhile; a swap takes some milliseconds.
_TRIES = 20
_BETWEEN_SECONDS = 0.05
# More connections than this would only wait for each other.
_CONNECTIONS = 16


class NotAnswered(Exception):
    """The warehouse is away, has published nothing yet, or took too long; its text is for the client."""


@dataclass(frozen=True)
class Published:
    """What people read: the build that made it, and the version of the journal that says so."""

    build_id: str
    is_being_swapped: bool
    version: int


@dataclass
class Answer:
    """An answer that has begun: its bytes, and how many rows it has. Close it."""

    published: Published
    response: httpx.Response
    rows: int


class Answers:
    """A pool of connections to the warehouse, as its reader."""

    def __init__(self, reader: Warehouse) -> None:
        settings = reader.settings
        self._names = {"raw": settings.raw_database, "published": settings.database}
        self._http = httpx.AsyncClient(
            base_url=f"{'https' if reader.secure else 'http'}://{reader.host}:{reader.port}",
            auth=(reader.user, reader.password.get_secret_value()),
            timeout=60,
            trust_env=False,
            limits=httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def published(self) -> Published:
        """What is published now. Raises NotAnswered if nothing is, or the warehouse is away."""
        rows = await self.rows(_PUBLISHED, {})
        if not rows or not rows[0][1]:
            raise NotAnswered("Nothing is published yet: build first.")
        state, build_id, version = rows[0]
        return Published(build_id, state in ("publishing", "rolling back"), int(version))

    async def rows(self, query: str, parameters: Mapping[str, Any]) -> list[list[Any]]:
        """All rows of a small answer; `{raw}` and `{published}` are the names of the databases. Raises NotAnswered."""
        response = await self._ask(f"{query}\nFORMAT JSONCompact", self._names | dict(parameters))
        await response.aread()
        rows: list[list[Any]] = response.json()["data"]
        return rows

    async def answer(self, query: str, parameters: Mapping[str, Any], data_format: str, before: Published) -> Answer:
        """The answer to a query, all of it from one published version; `before` is what was published just now.

        Raises NotAnswered if there is none to be had.
        """
        for _ in range(_TRIES):
            response = await self._ask(f"{query}\nFORMAT {_FORMATS[data_format][0]}", parameters)
            after = await self.published()
            if not before.is_being_swapped and before == after:
                return Answer(after, response, _rows(response))
            await response.aclose()
            await asyncio.sleep(_BETWEEN_SECONDS)
            before = after
        raise NotAnswered("New tables are being published; ask again in a moment.")

    async def _ask(self, query: str, parameters: Mapping[str, Any]) -> httpx.Response:
        """The beginning of an answer; by then the whole query is done, so nothing can go wrong in the middle of it."""
        request = self._http.build_request(
            "POST",
            "/",
            params={
                "database": self._names["published"],
                "wait_end_of_query": "1",
                **{f"param_{name}": str(format_bind_value(value)) for name, value in parameters.items()},
            },
            content=query.encode(),
        )
        try:
            response = await self._http.send(request, stream=True)
            if response.status_code == httpx.codes.OK:
                return response
            text = (await response.aread()).decode(errors="replace")
        except httpx.HTTPError as error:
            raise NotAnswered("The warehouse does not answer; ask again in a moment.") from error
        raise _refusal(text)


def _refusal(text: str) -> Exception:
    if "UNKNOWN_TABLE" in text or "UNKNOWN_DATABASE" in text:
        return NotAnswered("Nothing is published yet: build first.")
    if "TIMEOUT_EXCEEDED" in text or "MEMORY_LIMIT_EXCEEDED" in text:
        return NotAnswered("This is more than can be answered at once: ask for fewer days.")
    return RuntimeError(text.splitlines()[0][:1000])


def _rows(response: httpx.Response) -> int:
    summary = response.headers.get("X-ClickHouse-Summary", "")
    return int(orjson.loads(summary or "{}").get("result_rows", 0))
