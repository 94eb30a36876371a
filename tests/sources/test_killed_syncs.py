"""`footfall sync` killed (kill -9) at random moments: what is known is what a whole sync saw, and the next gets all."""

import random
import signal
import subprocess
import sys

import pytest

from tests.cli.conftest import ROOT, environment_of
from tests.sources.conftest import Platform

SEED = 13
# A sync sends some sixty statements: a moment by chance in each eighth of them.
_CHANCE = random.Random(SEED)
MOMENTS = [_CHANCE.randint(eighth * 8 + 1, eighth * 8 + 8) for eighth in range(8)]

# Kills itself before or after it has sent the statement of this number.
KILLED = """
import os, signal, sys
import cli.main, httpx
from urllib3 import PoolManager
number = int(sys.argv[1])
is_after = number % 2
def counted(ask):
    def run(*arguments, **named):
        global number
        number -= 1
        if number == 0 and not is_after:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = ask(*arguments, **named)
        if number == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer
    return run
PoolManager.request, httpx.Client.post = counted(PoolManager.request), counted(httpx.Client.post)
cli.main.cli(["sync", "mcp_obs"])
"""
# What every whole sync leaves: one version of each row a load, each call once, and nothing of a load that is none.
_STANDING = """
    WITH standing AS (SELECT load_id FROM loads FINAL WHERE status = 'committed')
    SELECT
        (SELECT count() FROM source_rows WHERE load_id NOT IN standing),
        (SELECT count() FROM events WHERE load_id NOT IN standing),
        (SELECT count() - uniqExact(tenant_id, event_id) FROM events),
        (SELECT count() - uniqExact(load_id, `table`, key) FROM source_rows)
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_sync_that_was_killed_leaves_nothing_that_the_next_one_does_not_put_right(platform: Platform) -> None:
    environment = environment_of(platform.warehouse, FOOTFALL_SOURCE_MCP_OBS=platform.address)
    struck = []
    for round_, moment in enumerate(MOMENTS):
        # somebody comes, somebody is renamed, somebody goes; two calls, one of them of a server that nobody knows
        platform.run(f"INSERT INTO mcp_server_user (id, email) VALUES ('new{round_}', 'new{round_}@x.example')")
        platform.run(f"UPDATE mcp_server_user SET email = 'round{round_}@x.example' WHERE id = 'u2'")
        platform.run(f"DELETE FROM mcp_server_user WHERE id = 'new{round_ - 2}'")
        for server in ("files", "nowhere"):
            platform.run(
                "INSERT INTO mcp_tool_calls (id, mcp_server_user_id, mcp_server_slug, tool_name, created_at) VALUES"
                f" ('call{round_}-{server}', 'new{round_}', '{server}', 'read', {1767352000000 + round_})"
            )
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(moment)],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        struck.append(done.returncode != 0)
    assert sum(struck) >= 6, f"most blows must land, or nothing was shown: {struck}"
    platform.sync()
    assert platform.rows(_STANDING) == [(0, 0, 0, 0)]
    known = platform.rows(
        "SELECT key, argMax(document['email'], load_id) FROM source_rows WHERE `table` = 'mcp_server_user'"
        " GROUP BY key HAVING NOT argMax(is_deleted, load_id) ORDER BY key"
    )
    last = len(MOMENTS) - 1
    assert known == [
        *((f"new{number}", f"new{number}@x.example") for number in (last - 1, last)),
        ("u1", "ann@acme.example"), ("u2", f"round{last}@x.example"),
    ]  # fmt: skip
    calls = {event_id for (event_id,) in platform.rows("SELECT event_id FROM events WHERE event = 'mcp_tool_call'")}
    assert calls == {"t1", "t2", "t3", *(f"call{round_}-files" for round_ in range(len(MOMENTS)))}
    rejected = platform.rows("SELECT count(), uniqExact(original) FROM rejected_rows")
    assert rejected == [(len(MOMENTS) + 1, len(MOMENTS) + 1)]
