"""The keys of the HTTP service: each is of one tenant, and only its hash is kept."""

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from clickhouse_connect.driver.client import Client

from ingest import raw_tables
from warehouse.connection import Warehouse
from warehouse.errors import UsageError

SCOPES = ("read", "append")

_COLUMNS = ("key_id", "tenant_id", "scope", "key_hash", "created_at", "expires_at", "revoked_at")
_KEYS = f"SELECT {', '.join(_COLUMNS)} FROM {{raw:Identifier}}.api_keys FINAL ORDER BY created_at, key_id"  # noqa: S608 - our own text


@dataclass(frozen=True)
class Key:
    """A key as it is kept."""

    key_id: str
    tenant_id: str
    scope: str
    key_hash: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def is_valid(self, now: datetime) -> bool:
        """Whether it opens anything at this time."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def hash_of(key: str) -> str:
    """What is kept of a key. It is 256 random bits, so that no salt and no slow hash is needed."""
    return hashlib.sha256(key.encode()).hexdigest()


def create(warehouse: Warehouse, tenant: str, scope: str, expires_at: datetime | None = None) -> str:
    """Make a key, and return it: it is kept nowhere. Raises UsageError without a tenant."""
    if not tenant:
        raise UsageError("A key is of one tenant.", "Say which: --tenant T.")
    key = f"ff_{secrets.token_urlsafe(32)}"
    made = Key(secrets.token_hex(4), tenant, scope, hash_of(key), datetime.now(UTC), expires_at, None)
    raw_tables.create(warehouse)
    with warehouse.client() as client:
        _write(client, warehouse.settings.raw_database, made)
    return key


def all_keys(warehouse: Warehouse) -> list[Key]:
    """All keys, the oldest first; those that expired or were revoked, too."""
    raw = warehouse.settings.raw_database
    if not warehouse.has_table(raw, "api_keys"):
        return []
    with warehouse.client() as client:
        rows = client.query(_KEYS, parameters={"raw": raw}, tz_mode="aware").result_rows
    return [Key(*row) for row in rows]


def revoke(warehouse: Warehouse, key_id: str) -> None:
    """Let a key open nothing any more. Raises UsageError if there is none of this name."""
    found = [key for key in all_keys(warehouse) if key.key_id == key_id]
    if not found:
        raise UsageError(f"There is no key {key_id!r}.", "`footfall keys list` names them all.")
    key = found[0]
    with warehouse.client() as client:
        _write(client, warehouse.settings.raw_database, replace(key, revoked_at=datetime.now(UTC)))


def _write(client: Client, raw: str, key: Key) -> None:
    client.insert("api_keys", [[getattr(key, name) for name in _COLUMNS]], column_names=_COLUMNS, database=raw)
