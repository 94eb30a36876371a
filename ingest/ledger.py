"""The ledger of loads, raw.loads: a load exists once its row here says committed.

A commit is ONE insert: the new load's row, which gives it the next `load_seq`, and new versions of the rows of the
loads that it supersedes. Whoever commits holds the warehouse's writer lock.
"""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from warehouse import lease

_COLUMNS = (
    "load_id", "load_seq", "table", "path", "content_hash", "partition", "rows_accepted", "rows_rejected",
    "rows_duplicate", "status", "superseded_seq", "committed_at", "version", "load_order", "contract",
    "contract_hash", "options",
)  # fmt: skip


@dataclass(frozen=True)
class Load:
    """One row of the ledger. `superseded_seq` is 0 as long as the load stands.

    A committed line without a `content_hash` brings no rows: it says that those it superseded are withdrawn.
    `contract` names what its rows were read by, `contract_hash` is a hash of all that it says, and `options` are those
    of the command, as JSON; all three are empty for rows that did not come from lines.
    """

    load_id: str
    load_seq: int
    table: str
    path: str
    content_hash: str
    partition: str
    rows_accepted: int
    rows_rejected: int
    rows_duplicate: int
    status: str
    superseded_seq: int
    committed_at: datetime
    version: int
    load_order: int = 0
    contract: str = ""
    contract_hash: str = ""
    options: str = ""

    @property
    def stands(self) -> bool:
        """Whether its rows count."""
        return self.status == "committed" and not self.is_withdrawal

    @property
    def is_withdrawal(self) -> bool:
        """Whether the line is no load, but takes earlier ones away."""
        return self.load_seq > 0 and not self.content_hash


# Raw tables that hold rows of loads of every table.
OF_ALL_TABLES = ("rejected_rows", "lines", "load_counts")

_LINES = """
    SELECT
        load_id, load_seq, `table`, path, content_hash, partition, rows_accepted, rows_rejected, rows_duplicate,
        status, superseded_seq, committed_at, version, load_order, contract, contract_hash, options
    FROM {raw:Identifier}.loads FINAL
"""
_STANDING = f"{_LINES} WHERE status = 'committed' AND `table` = {{table:String}}"
_ALIKE = f"{_STANDING} AND (content_hash = {{content_hash:String}} OR path = {{path:String}}) ORDER BY load_seq"
_BELOW = f"{_LINES} WHERE path = {{path:String}} OR startsWith(path, {{folder:String}}) ORDER BY load_seq"
_NEWEST_FIRST = f"""
    {_LINES}
    WHERE
        {{table:String}} IN ('', `table`)
        AND (
            {{tenant:String}} = ''
            OR load_id IN (
                SELECT load_id FROM {{raw:Identifier}}.events WHERE tenant_id = {{tenant:String}}
                UNION DISTINCT
                SELECT load_id FROM {{raw:Identifier}}.identity_mappings WHERE tenant_id = {{tenant:String}}
                UNION DISTINCT
                SELECT load_id FROM {{raw:Identifier}}.funnel_steps WHERE tenant_id = {{tenant:String}}
                UNION DISTINCT
                SELECT load_id FROM {{raw:Identifier}}.retention_definitions WHERE tenant_id = {{tenant:String}}
            )
        )
    ORDER BY committed_at DESC, load_seq DESC
"""  # noqa: S608 - our own text
_CHANGES_SINCE = """
    SELECT uniqExact(greatest(load_seq, superseded_seq))
    FROM {raw:Identifier}.loads FINAL
    WHERE load_seq > 0 AND greatest(load_seq, superseded_seq) > {seq:UInt64}
"""
_CALLED = f"{_LINES} WHERE load_id = {{name:String}} OR (load_seq > 0 AND toString(load_seq) = {{name:String}})"
_READ = f"{_LINES} WHERE status = 'committed' AND contract_hash != '' ORDER BY load_seq"
_OF_DAY = f"{_STANDING} AND partition = {{partition:String}} ORDER BY load_seq"


def alike(client: Client, raw: str, table: str, content_hash: str, path: str) -> list[Load]:
    """The loads of a table that stand and have this content or this path, in the order they were committed."""
    names = {"raw": raw, "table": table, "content_hash": content_hash, "path": path}
    return [Load(*row) for row in client.query(_ALIKE, parameters=names).result_rows]


def standing(client: Client, raw: str) -> list[Load]:
    """The loads of all tables that stand and came from lines, in the order they were committed."""
    return [Load(*row) for row in client.query(_READ, parameters={"raw": raw}).result_rows]


def of_day(client: Client, raw: str, table: str, partition: str) -> list[Load]:
    """The loads of a landing day that stand, in the order they were committed."""
    names = {"raw": raw, "table": table, "partition": partition}
    return [Load(*row) for row in client.query(_OF_DAY, parameters=names).result_rows]


def newest_first(client: Client, raw: str, table: str = "", tenant: str = "") -> list[Load]:
    """All lines of the ledger, or those of a table, or of loads with rows of a tenant; the newest first."""
    names = {"raw": raw, "table": table, "tenant": tenant}
    return [Load(*row) for row in client.query(_NEWEST_FIRST, parameters=names).result_rows]


def changes_since(client: Client, raw: str, seq: int) -> int:
    """How often loads came or went after this load_seq."""
    return int(client.query(_CHANGES_SINCE, parameters={"raw": raw, "seq": seq}).first_row[0])


def below(client: Client, raw: str, path: str) -> list[Load]:
    """All lines of the ledger with this path or a path below it, in the order they were committed."""
    names = {"raw": raw, "path": path, "folder": path.rstrip("/") + "/"}
    return [Load(*row) for row in client.query(_BELOW, parameters=names).result_rows]


def called(client: Client, raw: str, name: str) -> list[Load]:
    """The line of the ledger with this load_id or load_seq, if there is one."""
    return [Load(*row) for row in client.query(_CALLED, parameters={"raw": raw, "name": name}).result_rows]


def first_day(client: Client, raw: str) -> date | None:
    """The first landing day, or day of a commit, among the loads that stand; None if none stands."""
    first = client.query(
        "SELECT min(if(partition != '', partition, toString(toDate(committed_at)))) FROM {raw:Identifier}.loads FINAL "
        "WHERE status = 'committed' AND content_hash != ''",
        parameters={"raw": raw},
    ).first_row[0]
    return date.fromisoformat(first) if first else None


def commit(client: Client, raw: str, load: Load, superseded: Sequence[Load] = ()) -> Load:
    """Make a load visible and let the superseded ones stand no longer, at once. Returns the load as committed.

    Raises FootfallError if this command has lost the writer's lease.
    """
    seq = _next_seq(client, raw)
    committed = _committed(load, seq)
    _insert(client, raw, [committed, *(_superseded(old, seq) for old in superseded)])
    return committed


def commit_together(client: Client, raw: str, loads: Sequence[Load]) -> list[Load]:
    """Make several loads visible at once, in this order. Returns them as committed.

    Raises FootfallError if this command has lost the writer's lease.
    """
    first = _next_seq(client, raw)
    committed = [_committed(load, seq) for seq, load in enumerate(loads, start=first)]
    _insert(client, raw, committed)
    return committed


def withdraw(client: Client, raw: str, loads: Sequence[Load]) -> list[Load]:
    """Let loads stand no longer, all at once: a line more for each, without rows. Returns these lines.

    Raises FootfallError if this command has lost the writer's lease.
    """
    for table in {load.table for load in loads}:
        # Before the ledger knows a later load, as every load does.
        remove_remains(client, raw, table)
    first = _next_seq(client, raw)
    lines = [_committed(new_load(load.table, load.path), seq) for seq, load in enumerate(loads, start=first)]
    gone = [_superseded(load, line.load_seq) for load, line in zip(loads, lines, strict=True)]
    if lines:
        _insert(client, raw, [*lines, *gone])
    return lines


def _next_seq(client: Client, raw: str) -> int:
    """The next number; whoever asks for it is about to commit, and must still be the writer."""
    lease.require()
    highest = client.query(
        "SELECT max(greatest(load_seq, superseded_seq)) FROM {raw:Identifier}.loads", parameters={"raw": raw}
    ).result_rows[0][0]
    return int(highest) + 1


def _committed(load: Load, seq: int) -> Load:
    order = load.load_order or seq
    return replace(
        load, load_seq=seq, load_order=order, status="committed", committed_at=datetime.now(UTC), version=seq
    )


def _superseded(load: Load, seq: int) -> Load:
    return replace(load, status="superseded", superseded_seq=seq, version=seq)


def record_failure(client: Client, raw: str, load: Load) -> None:
    """Remember a load that was not committed, so that its rejected rows can be traced to its file."""
    _insert(client, raw, [replace(load, load_seq=0, status="failed", committed_at=datetime.now(UTC), version=0)])


def _insert(client: Client, raw: str, loads: Sequence[Load]) -> None:
    rows: list[list[Any]] = [[getattr(load, name) for name in _COLUMNS] for load in loads]
    # under the load's name, so that what follows a broken connection can tell whether it still runs
    name = f"{query_id(raw, loads[0].load_id)}-ledger"
    client.insert("loads", rows, column_names=_COLUMNS, database=raw, settings={"query_id": name})
    # For those who read the ledger without FINAL; it is small. The commit stands whether this works or not.
    with suppress(ClickHouseError):
        client.command("OPTIMIZE TABLE {raw:Identifier}.loads FINAL", parameters={"raw": raw})


def new_load(table: str, path: str, partition: str = "") -> Load:
    """A load that is in no ledger yet, with an id by the time."""
    return Load(
        load_id=_load_id(_milliseconds()),
        load_seq=0,
        table=table,
        path=path,
        content_hash="",
        partition=partition,
        rows_accepted=0,
        rows_rejected=0,
        rows_duplicate=0,
        status="",
        superseded_seq=0,
        committed_at=datetime.now(UTC),
        version=0,
    )


def begun(client: Client, raw: str, load: Load) -> Load:
    """The load with an id behind all ids that the ledger knows, whatever the clock says: for rows are written under it.

    So the rows of a new load lie together in an index, and what is left of a load that broke off is found there.
    """
    latest = client.query("SELECT max(load_id) FROM {raw:Identifier}.loads", parameters={"raw": raw}).first_row[0]
    after = int(latest.partition("-")[0], 16) + 1 if latest else 0
    return replace(load, load_id=_load_id(max(_milliseconds(), after)))


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000


def _load_id(milliseconds: int) -> str:
    """An id that sorts by the milliseconds, then by chance."""
    return f"{milliseconds:012x}-{os.urandom(8).hex()}"


def query_id(raw: str, load_id: str) -> str:
    """What the INSERT of a load is called on the server, so that it can be found there; its queries have it as their
    comment, for they may be sent twice.
    """
    return f"{raw}-load-{load_id}"


def stop(client: Client, raw: str, load_id: str = "") -> None:
    """End the statements of a load that broke off, or of any: the server may still work for a client that is gone.

    Its commit may be among them; once this returns, that has happened or never will.
    """
    client.command(
        "KILL QUERY WHERE (startsWith(query_id, {id:String}) OR startsWith(Settings['log_comment'], {id:String}))"
        " AND user = currentUser() SYNC",
        parameters={"id": query_id(raw, load_id)},
    )


def remove(client: Client, raw: str, tables: Sequence[str], load_ids: Sequence[str]) -> None:
    """Delete the rows of loads from raw tables."""
    for table in tables:
        client.command(
            "DELETE FROM {raw:Identifier}.{table:Identifier} WHERE load_id IN {ids:Array(String)}",
            parameters={"raw": raw, "table": table, "ids": list(load_ids)},
        )


def remove_remains(client: Client, raw: str, table: str) -> None:
    """Delete the rows of loads that the ledger does not know: a crash, or a kill, left them, and nobody reads them.

    Every load of a table begins with this, and with an id behind those that the ledger knows (`begun`). So what is left
    has an id behind the last load of that table: only rows from there on are looked at, whatever the table holds.
    """
    stop(client, raw)
    for name, loads_of in ((table, table), *((name, "") for name in OF_ALL_TABLES)):
        found = client.query(
            """
            SELECT DISTINCT load_id FROM {raw:Identifier}.{name:Identifier}
            WHERE
                load_id > (
                    SELECT max(load_id) FROM {raw:Identifier}.loads
                    WHERE {loads_of:String} IN ('', `table`)
                )
                AND load_id NOT IN (SELECT load_id FROM {raw:Identifier}.loads)
            """,
            parameters={"raw": raw, "name": name, "loads_of": loads_of},
        ).result_rows
        if found:
            remove(client, raw, [name], [row[0] for row in found])
