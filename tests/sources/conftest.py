"""An MCP platform's database, as the real one is: with secrets that must never leave it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from ingest.sources.contract import contract_named
from ingest.sources.postgres import Place
from ingest.sources.syncing import Options, Synced, sync
from tests.conftest import drop
from tests.sources import postgres
from warehouse.connection import Warehouse
from warehouse.lock import exclusive

# In every column that must not be read.
CANARY = "canary-that-never-leaves"

MCP = f"""
CREATE TABLE organization (
    id text PRIMARY KEY, name text NOT NULL, slug text, logo text DEFAULT '{CANARY}', created_at timestamp,
    metadata text DEFAULT '{CANARY}'
);
CREATE TABLE mcp_server (
    id uuid PRIMARY KEY, slug text NOT NULL UNIQUE, name text NOT NULL, organization_id text REFERENCES organization,
    enabled boolean DEFAULT true, auth_settings jsonb DEFAULT '{{"client_secret": "{CANARY}"}}',
    created_at timestamptz, updated_at timestamptz
);
CREATE TABLE mcp_server_user (
    id text PRIMARY KEY, tracking_id text, email text, upstream_sub text,
    profile_data jsonb DEFAULT '{{"locale": "de", "picture": "{CANARY}"}}', first_seen_at timestamptz,
    created_at timestamptz, updated_at timestamptz
);
CREATE TABLE mcp_end_user (
    id text PRIMARY KEY, email text, email_verified boolean, password_hash text DEFAULT '{CANARY}',
    created_at timestamptz
);
CREATE TABLE mcp_server_session (
    mcp_server_session_id text PRIMARY KEY, mcp_server_slug text,
    mcp_server_user_id text REFERENCES mcp_server_user ON DELETE CASCADE,
    session_data jsonb DEFAULT '{{"oauthProvider": "github", "access_token": "{CANARY}"}}', connection_timestamp bigint,
    expires_at bigint, revoked_at bigint
);
CREATE TABLE mcp_tool_calls (
    id text PRIMARY KEY, mcp_server_user_id text, mcp_server_slug text, tool_name text, success boolean,
    execution_time_ms bigint, input jsonb DEFAULT '{{"prompt": "{CANARY}"}}',
    output jsonb DEFAULT '{{"text": "{CANARY}"}}', error_message text, created_at bigint
);
INSERT INTO organization (id, name, created_at) VALUES ('acme', 'Acme', '2026-01-01'), ('other', 'Other', '2026-01-01');
INSERT INTO mcp_server (id, slug, name, organization_id, created_at) VALUES
    ('00000000-0000-0000-0000-000000000001', 'files', 'Files', 'acme', '2026-01-01 10:00:00+00'),
    ('00000000-0000-0000-0000-000000000002', 'mail', 'Mail', 'other', '2026-01-01 10:00:00+00');
INSERT INTO mcp_server_user (id, email, first_seen_at) VALUES
    ('u1', 'ann@acme.example', '2026-01-02 05:00:00-05'), ('u2', E'bob\\tb\\\\\u00e9', 'infinity');
INSERT INTO mcp_server_session (mcp_server_session_id, mcp_server_slug, mcp_server_user_id, connection_timestamp)
    VALUES ('c1', 'files', 'u1', 1767348000000);
INSERT INTO mcp_tool_calls
    (id, mcp_server_user_id, mcp_server_slug, tool_name, success, execution_time_ms, created_at)
VALUES
    ('t1', 'u1', 'files', 'read', true, 120, 1767351600000), ('t2', 'u2', 'mail', 'send', NULL, 80, 1767351601000),
    ('t3', 'anonymous', 'files', 'read', false, 10, 1767351602000),
    ('t4', 'u1', 'nowhere', 'read', true, 1, 1767351603000);
CREATE ROLE footfall_reader LOGIN PASSWORD 'reader';
"""


@dataclass
class Platform:
    """The database, with the role that may do all, and what a sync of it does."""

    address: str
    warehouse: Warehouse

    @property
    def place(self) -> Place:
        return Place("mcp_obs", SecretStr(self.address))

    @property
    def as_reader(self) -> str:
        """The address for the role that only what it was granted may read."""
        return f"postgresql://footfall_reader:reader@{self.address.rpartition('@')[2]}"

    def run(self, statement: str) -> None:
        with psycopg.connect(self.address) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def sync(self, **options: Any) -> dict[str, Synced]:
        contract = contract_named(self.warehouse.settings.home, "mcp_obs")
        with exclusive(self.warehouse, "sync"):
            done = sync(self.warehouse, contract, self.place, Options(**options))
        return {one.table.name: one for one in done}

    def rows(self, sql: str) -> list[Any]:
        with self.warehouse.client(self.warehouse.settings.raw_database) as client:
            return list(client.query(sql).result_rows)


@pytest.fixture(scope="session")
def postgres_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("postgres")
    with postgres.running(folder) as address:
        yield address


@pytest.fixture
def platform(warehouse: Warehouse, postgres_address: str) -> Iterator[Platform]:
    """A database of its own, filled."""
    drop(warehouse)
    with psycopg.connect(postgres_address, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS platform WITH (FORCE)")
        connection.execute("DROP ROLE IF EXISTS footfall_reader")
        connection.execute("CREATE DATABASE platform")
    of = Platform(postgres_address.rpartition("/")[0] + "/platform", warehouse)
    of.run(MCP)
    yield of
