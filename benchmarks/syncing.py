"""What a sync costs: `python -m benchmarks.syncing --accounts 1000000 --calls 10000000 --changes 10000`.

A PostgreSQL with an MCP platform in it is synced into a home of its own: all of it, again without a change, and after a
night in which accounts came, changed and went and calls were made. CPU seconds of both servers and of the client,
because seconds on the clock tell of the machine.
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import psycopg
from pydantic import SecretStr

from benchmarks.measure import private_warehouse, timed_build
from ingest.sources.contract import contract_named
from ingest.sources.postgres import Place
from ingest.sources.syncing import Options, sync
from tests.sources import postgres
from warehouse.connection import Warehouse
from warehouse.lock import exclusive

_TABLES = """
    CREATE TABLE organization (id text PRIMARY KEY, name text NOT NULL, slug text, created_at timestamptz);
    CREATE TABLE mcp_server (
        id text PRIMARY KEY, slug text UNIQUE, name text, organization_id text, enabled boolean, created_at timestamptz
    );
    CREATE TABLE mcp_server_user (
        id text PRIMARY KEY, tracking_id text, email text, upstream_sub text, first_seen_at timestamptz,
        created_at timestamptz, updated_at timestamptz
    );
    CREATE TABLE mcp_tool_calls (
        id text PRIMARY KEY, mcp_server_user_id text, mcp_server_slug text, tool_name text, success boolean,
        execution_time_ms bigint, error_message text, created_at bigint
    );
    CREATE INDEX ON mcp_tool_calls (created_at);
    INSERT INTO organization SELECT 'org' || n, 'Org ' || n, 'org' || n, '2025-12-01'
        FROM generate_series(1, 1000) AS n;
    INSERT INTO mcp_server
        SELECT 'server' || n, 'slug' || n, 'Server ' || n, 'org' || (1 + n % 1000), true, '2025-12-01'
        FROM generate_series(1, 3000) AS n;
"""
_ACCOUNTS = """
    INSERT INTO mcp_server_user
    SELECT
        'mcpu_' || n, 'track_' || n, 'person' || (n / 2) || '@example.com', NULL, made_at, made_at, made_at
    FROM (
        SELECT n, timestamptz '2026-01-01' + n * interval '1 s' AS made_at
        FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
    ) AS accounts
"""
# An account calls the servers of one organization; most calls are of few accounts.
_CALLS = """
    INSERT INTO mcp_tool_calls
    SELECT
        'mtc_' || n, 'mcpu_' || account, 'slug' || (1 + account %% 1000), 'tool' || (n %% 20), n %% 17 > 0, n %% 900,
        NULL,
        1767225600000 + n * %(step)s
    FROM (
        SELECT n, 1 + (power(random(), 3) * %(accounts)s)::bigint AS account
        FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
    ) AS calls
"""
# Which statements of a build took most; dbt begins each with the name of its model.
_COSTLIEST = """
    SELECT
        sum(ProfileEvents['OSCPUVirtualTimeMicroseconds']) / 1e6 AS seconds,
        sum(read_rows),
        substring(replaceRegexpAll(query, '\\s+', ' '), 1, 150) AS statement
    FROM system.query_log
    WHERE type = 'QueryFinish' AND event_time_microseconds >= {since:DateTime64(6, 'UTC')}
    GROUP BY statement
    ORDER BY seconds DESC
    LIMIT 12
"""
# Sixty days of calls.
_SPAN_MS = 60 * 86_400_000


@click.command()
@click.option("--accounts", default=100_000)
@click.option("--calls", default=1_000_000)
@click.option("--changes", default=1_000, help="Rows that a night changes: half of them accounts, half new calls.")
def main(accounts: int, calls: int, changes: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="footfall-source-") as folder, postgres.running(Path(folder)) as address:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(_TABLES)
            connection.execute(_ACCOUNTS, {"first": 1, "last": accounts})
            step = _SPAN_MS // calls
            connection.execute(_CALLS, {"first": 1, "last": calls, "step": step, "accounts": accounts})
            connection.execute("VACUUM ANALYZE")
        place = Place("mcp_obs", SecretStr(address))
        with private_warehouse() as warehouse:
            _timed("first sync", warehouse, lambda: _sync(warehouse, place))
            _timed("first build", warehouse, lambda: timed_build(warehouse))
            _timed("sync without a change", warehouse, lambda: _sync(warehouse, place))
            _timed("build without a change", warehouse, lambda: timed_build(warehouse))
            with psycopg.connect(address, autocommit=True) as connection:
                few = changes // 6
                connection.execute(_ACCOUNTS, {"first": accounts + 1, "last": accounts + few})
                connection.execute(
                    "UPDATE mcp_server_user SET email = 'new' || id WHERE id IN"
                    " (SELECT 'mcpu_' || (n * 7) FROM generate_series(1, %(few)s) AS n)", {"few": few},
                )  # fmt: skip
                connection.execute(
                    "DELETE FROM mcp_server_user WHERE id IN"
                    " (SELECT 'mcpu_' || (n * 7 + 1) FROM generate_series(1, %(few)s) AS n)", {"few": few},
                )  # fmt: skip
                names = {"first": calls + 1, "last": calls + changes // 2, "step": step, "accounts": accounts + few}
                connection.execute(_CALLS, names)
            _timed("sync of a night", warehouse, lambda: _sync(warehouse, place))
            with warehouse.client() as client:
                since = client.query("SELECT now64(6, 'UTC')").first_row[0]
            _timed("build of a night", warehouse, lambda: timed_build(warehouse))
            with warehouse.client() as client:
                client.command("SYSTEM FLUSH LOGS")
                for seconds, read, statement in client.query(_COSTLIEST, parameters={"since": since}).result_rows:
                    print(f"  {seconds:6.1f} CPU s, {read:>12,} rows read: {statement}")


def _sync(warehouse: Warehouse, place: Place) -> None:
    contract = contract_named(warehouse.settings.home, "mcp_obs")
    with exclusive(warehouse, "sync"):
        for one in sync(warehouse, contract, place, Options()):
            print(f"  {one.sentence}")


def _timed(name: str, warehouse: Warehouse, run: Callable[[], object]) -> None:
    before, started = _cpu_seconds(warehouse), time.perf_counter()
    run()
    seconds, after = time.perf_counter() - started, _cpu_seconds(warehouse)
    spent = {place: after[place] - before[place] for place in after}
    parts = ", ".join(f"{place} {used:.1f}" for place, used in spent.items())
    print(f"{name}: {sum(spent.values()):.1f} CPU s ({parts}) in {seconds:.1f} s", flush=True)


def _cpu_seconds(warehouse: Warehouse) -> dict[str, float]:
    """What the two servers and this process with what it started have used so far."""
    own = os.times()
    found = {"PostgreSQL": 0.0, "ClickHouse": 0.0, "client": sum(own[:4])}
    home = str(warehouse.settings.home).encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            # behind the name, which may have blanks in it: utime, stime, and those of ended children
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks = sum(map(int, fields[11:15]))
        if b"warehouse.server" in command and home in command:
            found["ClickHouse"] += ticks / os.sysconf("SC_CLK_TCK")
        elif b"pginstall" in command or command.startswith(b"postgres:"):
            found["PostgreSQL"] += ticks / os.sysconf("SC_CLK_TCK")
    return found


if __name__ == "__main__":
    main()
