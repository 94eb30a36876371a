"""The shops' own assistant as its database has it: MCP servers that staff ask for recipes and orders, as files."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import orjson

from sample.business import DAYS
from sample.event import as_datetime
from sample.visits import END, START

# The name of the source: a warehouse may have an MCP platform of its own beside it.
SOURCE = "juniper_assistant"
# When the tables were exported, an hour after the last day: what the figures are as of.
READ_AT = as_datetime(END) + timedelta(hours=1)

_FIRST_MOMENT = as_datetime(START)
_ORGANIZATION = "juniper-rye"
_SERVERS = {"recipes": "Recipe book", "orders": "Order desk"}
_TOOLS = {
    "recipes": [("find_recipe", 0.99, 180), ("scale_recipe", 0.96, 90), ("list_allergens", 0.995, 60)],
    "orders": [("find_order", 0.98, 240), ("change_pickup", 0.91, 420)],
}
# Name, calls on a day they work, and the day of the month behind which they are not seen any more.
_STAFF = (
    ("ines", 6, 30), ("rui", 4, 30), ("marta", 3, 30), ("tom", 2, 30), ("elena", 2, 30), ("joao", 1, 30),
    ("sofia", 2, 19), ("liam", 1, 14), ("nuno", 1, 9),
)  # fmt: skip


def write_assistant(folder: Path) -> dict[str, Path]:
    """Write the tables below `folder`, one NDJSON file each; returns them by name, in the order to load them in."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = Random("2026/assistant")
    accounts = list(_accounts())
    tables: dict[str, list[dict[str, Any]]] = {
        "organization": [{"id": _ORGANIZATION, "name": "Juniper & Rye", "slug": _ORGANIZATION}],
        "mcp_server": [
            {"id": f"server-{slug}", "slug": slug, "name": name, "organization_id": _ORGANIZATION, "enabled": True,
             "created_at": _text(_FIRST_MOMENT - timedelta(days=30))}
            for slug, name in _SERVERS.items()
        ],
        "mcp_server_user": [
            {"id": account, "email": f"{name}@juniper-rye.example", "first_seen_at": _text(_FIRST_MOMENT)}
            for account, name in accounts
        ],
        "mcp_server_session": [
            {"mcp_server_session_id": f"mcps_{account}", "mcp_server_slug": account.split("_")[1],
             "mcp_server_user_id": account, "oauth_provider": "google", "connection_date": _text(_FIRST_MOMENT),
             "expires_at": _text(_FIRST_MOMENT + timedelta(days=30))}
            for account, _ in accounts
        ],
        "mcp_tool_calls": list(_calls(rng)),
    }  # fmt: skip
    paths = {}
    for table, rows in tables.items():
        paths[table] = folder / f"{table}.ndjson"
        paths[table].write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return paths


def _accounts() -> Iterator[tuple[str, str]]:
    """Everybody has an account at each server: the same email makes one person of them."""
    for slug in _SERVERS:
        for name, _, _ in _STAFF:
            yield f"mcpu_{slug}_{name}", name


def _calls(rng: Random) -> Iterator[dict[str, Any]]:
    for day in range(DAYS):
        for name, calls, last_day in _STAFF:
            if day >= last_day or rng.random() < 0.25:  # a day off
                continue
            for _ in range(rng.randint(1, 2 * calls)):
                slug = rng.choice(list(_TOOLS))
                tool, succeeds, usual_ms = rng.choice(_TOOLS[slug])
                at = _FIRST_MOMENT + timedelta(days=day, hours=rng.randint(6, 18), seconds=rng.randint(0, 3599))
                yield {
                    "id": f"mtc_{rng.getrandbits(48):012x}",
                    "mcp_server_user_id": f"mcpu_{slug}_{name}",
                    "mcp_server_slug": slug,
                    "tool_name": tool,
                    "success": rng.random() < succeeds,
                    "execution_time_ms": int(usual_ms * rng.uniform(0.6, 2.2)),
                    "created_at": _text(at),
                }


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
