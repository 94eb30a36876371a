"""The writer's lease, `<raw>.writer_lease`: one command at a time writes to a warehouse, from whatever machine.

The table is a log of claims and signs of life, and who holds the lease follows from it (`_holder`). Why it cannot be
taken twice: ClickHouse numbers the inserts into a MergeTree table (`_block_number`) under the lock that makes them
visible, so everybody reads the same rows in the same order, and what comes later is never read before what is there.
Whether a claim took the lease depends on the rows before it alone. So all who read it come to the same answer, and no
later row changes it: two claims at once are a first and a second, and a holder who slept too long finds whoever took
its place before its own next sign of life. All times are the server's.
"""

import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError

from warehouse.connection import Warehouse
from warehouse.errors import FootfallError

# So long after a holder's last sign of life the lease is free. Longer than a busy machine or a restart of the server
# keeps a living command from giving one, and as long as people wait for a machine that is gone.
STALE_SECONDS = 60.0
_SIGNS_PER_STALE = 6
_POLL_SECONDS = 0.2
# What the server says if there is no such table or no such database.
_UNKNOWN_TABLE, _UNKNOWN_DATABASE = 60, 81
# Of so many rows those that decide nothing any more are removed.
_LONG_LOG = 500

_CREATE = """
CREATE TABLE IF NOT EXISTS {raw:Identifier}.writer_lease
(
    lease String COMMENT 'One command that writes, or would',
    step LowCardinality(String) COMMENT 'take: a claim; alive: a sign of life of the holder; end: the holder is done',
    instead_of Array(String) COMMENT 'Leases of commands that are known to be dead',
    host String,
    pid UInt32,
    doing String,
    stale_seconds Float64 COMMENT 'How long after its last sign of life this lease is free',
    at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY ()
SETTINGS enable_block_number_column = 1
COMMENT 'Who writes to this warehouse: see warehouse/lease.py'
"""
_INSERT = """
INSERT INTO {raw:Identifier}.writer_lease (lease, step, instead_of, host, pid, doing, stale_seconds)
SELECT
    {lease:String}, {step:String}, {instead_of:Array(String)}, {host:String}, {pid:UInt32}, {doing:String},
    {stale_seconds:Float64}
"""
_ROWS = """
SELECT lease, step, instead_of, host, pid, doing, stale_seconds, at, now64(3, 'UTC') AS now
FROM {raw:Identifier}.writer_lease
ORDER BY _block_number
"""


@dataclass(frozen=True)
class Holder:
    """Who holds the lease: which command, since when, and when it last gave a sign of life, by the server's clock."""

    lease: str
    host: str
    pid: int
    doing: str
    since: datetime
    alive_at: datetime
    stale_after: timedelta

    def is_stale(self, at: datetime) -> bool:
        """Whether the lease was free at that time, because nothing had been heard of its holder for too long."""
        return at - self.alive_at > self.stale_after

    def __str__(self) -> str:
        return f"pid {self.pid} on {self.host}, since {self.since:%H:%M:%S} UTC"


@dataclass(frozen=True)
class _Row:
    lease: str
    step: str
    instead_of: Sequence[str]
    host: str
    pid: int
    doing: str
    stale_seconds: float
    at: datetime
    now: datetime


def _holder(rows: Iterable[_Row]) -> Holder | None:
    """Who holds the lease after these rows, which are in the order the server wrote them; None: it is free."""
    holder: Holder | None = None
    for row in rows:
        if row.step == "take":
            if holder is None or holder.lease in row.instead_of or holder.is_stale(row.at):
                stale_after = timedelta(seconds=row.stale_seconds)
                holder = Holder(row.lease, row.host, row.pid, row.doing, row.at, row.at, stale_after)
        elif holder is not None and holder.lease == row.lease:
            holder = replace(holder, alive_at=row.at) if row.step == "alive" else None
    return holder


class Lease:
    """One command's lease: taken once, given up once."""

    def __init__(self, warehouse: Warehouse, doing: str) -> None:
        self.id = uuid.uuid4().hex
        self.is_lost = False
        self._warehouse = warehouse
        self._doing = doing
        self._ended = threading.Event()
        self._signs = threading.Thread(target=self._give_signs, name="writer-lease", daemon=True)

    def take(self, deadline: float, instead_of: Sequence[str] = ()) -> None:
        """Take the lease, and give signs of life from then on; `instead_of` are leases whose commands are dead.

        Raises FootfallError, which says who holds it, if it is not free by the deadline (of `time.monotonic`).
        """
        with self._warehouse.client() as client:
            rows = _rows(client, self._warehouse)
            while True:
                holder = _holder(rows)
                if holder is None or holder.lease in instead_of or holder.is_stale(rows[-1].now):
                    self._write("take", instead_of)
                    rows = _rows(client, self._warehouse)
                    holder = _holder(rows)
                if holder is not None and holder.lease == self.id:
                    break
                if time.monotonic() >= deadline:
                    raise _refusal(holder, rows[-1].now)
                time.sleep(_POLL_SECONDS)
                rows = _rows(client, self._warehouse)
            if len(rows) > _LONG_LOG:
                self._shorten(client, holder)
        _held.add(self)
        self._signs.start()

    def require(self) -> None:
        """Give a sign of life and make sure that it counts: the lease is this command's for STALE_SECONDS more.

        Raises FootfallError if it was lost.
        """
        if self.is_lost or not self._is_alive():
            self.is_lost = True
            raise FootfallError(
                "This command gave no sign of life for too long, and another one writes to this warehouse now.",
                "Nothing of this one was published or committed since. Run it again once the other has ended.",
            )

    def give_up(self) -> bool:
        """End it; False if the warehouse could not be told, so that others wait until the lease is stale."""
        self._ended.set()
        _held.discard(self)
        self._signs.join(timeout=STALE_SECONDS / _SIGNS_PER_STALE)
        try:
            self._write("end")
        except (ClickHouseError, FootfallError, OSError):
            return False
        return True

    def _give_signs(self) -> None:
        while not self._ended.wait(STALE_SECONDS / _SIGNS_PER_STALE):
            # A warehouse that is away for a moment is asked again; if it stays away, other statements fail, too.
            with suppress(ClickHouseError, FootfallError, OSError):
                if not self._is_alive() and not self.is_lost and not self._ended.is_set():
                    self.is_lost = True
                    # what it still writes would get in the other one's way
                    os.kill(os.getpid(), _ending_signal())
                    return

    def _is_alive(self) -> bool:
        """Whether this is still the holder, after a sign of life."""
        self._write("alive")
        with self._warehouse.client() as client:
            holder = _holder(_rows(client, self._warehouse))
        return holder is not None and holder.lease == self.id

    def _write(self, step: str, instead_of: Sequence[str] = ()) -> None:
        with self._warehouse.client() as client:
            client.command(
                _INSERT,
                parameters={
                    "raw": self._warehouse.settings.raw_database,
                    "lease": self.id,
                    "step": step,
                    "instead_of": list(instead_of),
                    "host": socket.gethostname(),
                    "pid": os.getpid(),
                    "doing": self._doing,
                    "stale_seconds": STALE_SECONDS,
                },
                settings={"async_insert": 0},
            )

    def _shorten(self, client: Client, holder: Holder) -> None:
        """Removes what was written before this lease was taken: with or without it, the holder is the same."""
        client.command(
            "DELETE FROM {raw:Identifier}.writer_lease"
            " WHERE lease != {lease:String} AND at <= {at:DateTime64(3, 'UTC')}",
            parameters={"raw": self._warehouse.settings.raw_database, "lease": self.id, "at": holder.since},
        )


# Those that this process holds.
_held: set[Lease] = set()


def require() -> None:
    """Make sure, before something is published or committed, that the lease this process took is still its own.

    Raises FootfallError if it was lost while the process slept. A process that took none is not asked.
    """
    for lease in tuple(_held):
        lease.require()


def holder_of(warehouse: Warehouse) -> Holder | None:
    """Who writes to the warehouse at the moment; None if nobody does. Changes nothing."""
    if not warehouse.has_table(warehouse.settings.raw_database, "writer_lease"):
        return None
    with warehouse.client() as client:
        rows = _rows(client, warehouse)
    holder = _holder(rows)
    return None if holder is None or holder.is_stale(rows[-1].now) else holder


def _rows(client: Client, warehouse: Warehouse) -> list[_Row]:
    names = {"raw": warehouse.settings.raw_database}
    try:
        return [_Row(*row) for row in client.query(_ROWS, parameters=names).result_rows]
    except DatabaseError as error:
        if error.code not in (_UNKNOWN_TABLE, _UNKNOWN_DATABASE):
            raise
    client.command("CREATE DATABASE IF NOT EXISTS {raw:Identifier}", parameters=names)
    client.command(_CREATE, parameters=names)
    return []


def _refusal(holder: Holder | None, now: datetime) -> FootfallError:
    if holder is None:  # it was given up this very moment
        return FootfallError("Another footfall command was writing to this warehouse.", "Run this again.")
    silent = max((now - holder.alive_at).total_seconds(), 0)
    return FootfallError(
        f"Another footfall command is writing to this warehouse ({holder}): {holder.doing}.",
        f"Wait for it to end, or end it, and run this again. Its last sign of life came {silent:.0f} s ago; if its"
        f" machine is gone, its lease ends {holder.stale_after.total_seconds():.0f} s after that.",
    )


def _ending_signal() -> signal.Signals:
    """What ends this process: Ctrl-C, unless it is ignored, as a shell has it for commands in the background."""
    return signal.SIGTERM if signal.getsignal(signal.SIGINT) == signal.SIG_IGN else signal.SIGINT
