"""Every call, written down: when, which key, what, how much and how long; nothing of what was asked or answered."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import astuple, dataclass
from datetime import UTC, datetime

import httpx
import orjson

from warehouse.connection import Warehouse

# Calls are written together: many small inserts are dear.
_EVERY_SECONDS = 1.0
# While the warehouse is away, so many are kept at most.
_KEPT = 100_000

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Call:
    """One call, as raw.api_calls has it."""

    at: str
    key_id: str
    endpoint: str
    tenant_id: str
    status: int
    rows: int
    milliseconds: float


def now() -> str:
    """The time as raw.api_calls has it."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


class Calls:
    """Calls that wait to be written, and what writes them, as the user that can do only that."""

    def __init__(self, recorder: Warehouse) -> None:
        self._waiting: list[Call] = []
        self._address = f"{'https' if recorder.secure else 'http'}://{recorder.host}:{recorder.port}/"
        self._auth = (recorder.user, recorder.password.get_secret_value())
        self._raw = recorder.settings.raw_database

    def add(self, call: Call) -> None:
        """Have a call written down soon."""
        if len(self._waiting) < _KEPT:
            self._waiting.append(call)

    async def write_for_ever(self) -> None:
        """Write what waits, again and again; what waits when this is cancelled is written by then."""
        try:
            while True:
                await asyncio.sleep(_EVERY_SECONDS)
                await self._write()
        finally:
            await self._write()

    async def _write(self) -> None:
        calls, self._waiting = self._waiting, []
        if not calls:
            return
        lines = b"\n".join(orjson.dumps(astuple(call)) for call in calls)
        sql = "INSERT INTO {raw:Identifier}.api_calls FORMAT JSONCompactEachRow"
        try:
            async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
                answer = await http.post(
                    self._address,
                    params={"query": sql, "param_raw": self._raw, "async_insert": "0"},
                    content=lines,
                    auth=self._auth,
                )
                answer.raise_for_status()
        except httpx.HTTPError as error:
            log.warning("calls were not written down yet: %s", type(error).__name__)
            with suppress(IndexError):
                self._waiting = (calls + self._waiting)[:_KEPT]
