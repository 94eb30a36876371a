"""`footfall keys`: the keys of the HTTP service."""

from datetime import UTC, datetime

import click

from cli.console import err, out, print_table
from serving import keys
from warehouse.connection import connect
from warehouse.errors import UsageError
from warehouse.settings import get_settings


def run_create(tenant: str, scope: str, expires: datetime | None) -> None:
    """Make a key; it alone goes to stdout. Raises UsageError if it would have expired already."""
    expires_at = expires.replace(tzinfo=UTC) if expires else None
    if expires_at and expires_at <= datetime.now(UTC):
        raise UsageError(f"{expires_at:%Y-%m-%d %H:%M} is past.", "Give a later day, or leave --expires out.")
    with connect(get_settings()) as warehouse:
        key = keys.create(warehouse, tenant, scope, expires_at)
    until = f", until {expires_at:%Y-%m-%d %H:%M} UTC" if expires_at else ""
    err().print(f"A key for tenant {tenant} (scope {scope}{until}). It is shown this once:")
    click.echo(key)


def run_list() -> None:
    """Print all keys, without what they are."""
    with connect(get_settings()) as warehouse:
        found = keys.all_keys(warehouse)
    if not found:
        out().print("There is no key. `footfall keys create --tenant T` makes one.")
        return
    now = datetime.now(UTC)
    rows = [
        [
            key.key_id,
            key.tenant_id,
            key.scope,
            f"{key.created_at:%Y-%m-%d %H:%M}",
            f"{key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at else "never",
            "revoked" if key.revoked_at else "valid" if key.is_valid(now) else "expired",
        ]
        for key in found
    ]
    print_table(["key", "tenant", "scope", "created", "expires", "state"], rows)


def run_revoke(key_id: str) -> None:
    """Revoke a key."""
    with connect(get_settings()) as warehouse:
        keys.revoke(warehouse, key_id)
    out().print(f"The key {key_id} opens nothing any more; a running API knows it within a second.")
