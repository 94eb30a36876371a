"""Random stories of a source: whatever happened there, and in whatever order it was synced, built or withdrawn, the
tables are those that a rebuild makes.
"""

import random
from pathlib import Path

import pytest

from ingest import ledger
from tests.exactness.builds import Builder
from tests.sources.conftest import Platform

# A story has so many moves; some of them are seen by no sync of their own.
MOVES = 30
ACCOUNTS = ("u1", "u2", "u3", "u4", "u5", "anonymous")
EMAILS = ("'ann@acme.example'", "'Ann@acme.example '", "'bob@x.example'", "NULL")
SERVERS = ("files", "mail", "extra")


def move(rng: random.Random, platform: Platform, number: int) -> None:
    """Something that happens at the source."""
    account, other = rng.choice(ACCOUNTS[:-1]), rng.choice(ACCOUNTS[:-1])
    email, at = rng.choice(EMAILS), 1767351600000 + rng.randint(0, 40 * 86_400_000)
    kind = rng.choice(
        ["call"] * 4 + ["account", "account", "gone", "email", "provider", "end user", "connect", "revoke", "server",
                        "rename", "server gone"]
    )  # fmt: skip
    if kind == "call":
        caller, server = rng.choice(ACCOUNTS), rng.choice(SERVERS)
        platform.run(
            "INSERT INTO mcp_tool_calls (id, mcp_server_user_id, mcp_server_slug, tool_name, success, created_at)"
            f" VALUES ('call{number}', '{caller}', '{server}', 'tool', {rng.random() < 0.8}, {at})"
        )
    elif kind == "account":
        platform.run(
            "INSERT INTO mcp_server_user (id, email, first_seen_at)"
            f" VALUES ('{account}', {email}, to_timestamp({at // 1000}))"
            " ON CONFLICT (id) DO UPDATE SET email = excluded.email"
        )
    elif kind == "gone":
        platform.run(f"DELETE FROM mcp_server_user WHERE id = '{account}'")
    elif kind == "email":
        platform.run(f"UPDATE mcp_server_user SET email = {email} WHERE id = '{account}'")
    elif kind == "provider":
        platform.run(f"UPDATE mcp_server_user SET upstream_sub = '{other}' WHERE id = '{account}'")
    elif kind == "end user":
        platform.run(
            f"INSERT INTO mcp_end_user (id, email, email_verified) VALUES ('{account}', {email}, {rng.random() < 0.7})"
            " ON CONFLICT (id) DO UPDATE SET email = excluded.email, email_verified = excluded.email_verified"
        )
    elif kind == "connect":
        platform.run(
            "INSERT INTO mcp_server_session (mcp_server_session_id, mcp_server_slug, mcp_server_user_id,"
            f" connection_timestamp, expires_at) SELECT 'c{number}', '{rng.choice(SERVERS)}', id, {at},"
            f" {at} + 2592000000 FROM mcp_server_user WHERE id = '{account}'"
        )
    elif kind == "revoke":
        platform.run(f"UPDATE mcp_server_session SET revoked_at = {at} WHERE mcp_server_user_id = '{account}'")
    elif kind == "server":
        platform.run(
            "INSERT INTO mcp_server (id, slug, name, organization_id, created_at) SELECT gen_random_uuid(), slug, slug,"
            f" '{rng.choice(['acme', 'other'])}', to_timestamp({at // 1000})"
            " FROM (VALUES ('extra'), ('files')) AS free (slug)"
            " WHERE slug NOT IN (SELECT slug FROM mcp_server) LIMIT 1"
        )
    elif kind == "rename":
        platform.run(f"UPDATE mcp_server SET slug = 'was-files-{number}' WHERE slug = 'files'")
    else:
        platform.run("DELETE FROM mcp_server WHERE slug = 'mail'")


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", [1])
def test_whatever_happens_at_a_source_the_tables_are_those_of_a_rebuild(
    platform: Platform, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    builder = Builder(platform.warehouse, tmp_path)
    raw = platform.warehouse.settings.raw_database
    for number in range(MOVES):
        move(rng, platform, number)
        if rng.random() < 0.5:
            platform.sync(full=rng.random() < 0.3)
        if rng.random() < 0.15:
            with platform.warehouse.client() as client:
                standing = [load for load in ledger.newest_first(client, raw) if load.stands]
                ledger.withdraw(client, raw, rng.sample(standing, min(1, len(standing))))
        if number % 6 == 5:
            builder.build(test=False)
    platform.sync()
    builder.build()
    builder.build(full_refresh=True, publish=False, test=False)
    assert builder.differences() == []
    # and something happened
    with platform.warehouse.client(platform.warehouse.settings.database) as client:
        counts = client.query(
            "SELECT (SELECT count() FROM mcp_calls), (SELECT count() FROM mcp_connections),"
            " (SELECT count() FROM mcp_accounts), (SELECT countIf(user_id != distinct_id) FROM identities)"
        ).first_row
    assert all(counts), counts
