"""What a synced product's database gives: its projects with what is theirs, and its logs by day."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from ingest import raw_tables
from ingest.sources.contract import contract_named
from ingest.sources.syncing import Options, load_file
from tests.conftest import drop
from tests.exactness.builds import Builder
from warehouse.connection import Warehouse
from warehouse.lock import exclusive

CANARY = "canary-that-never-leaves"

ROWS: dict[str, list[dict[str, Any]]] = {
    "projects": [
        {"id": "p1", "name": "Shop", "api_key": CANARY, "settings": {"theme": "dark", "smtp": {"password": CANARY}},
         "created_at": "2026-03-01 10:00:00"},
        {"id": "p2", "name": "Blog", "is_active": False},
    ],
    "users": [{"id": "u1", "first_name": "Ann", "last_name": "Lee", "email": "ann@x.example", "password_hash": CANARY}],
    "project_members": [{"project_id": "p1", "user_id": "u1", "role": "admin"}],
    "api_keys": [
        {"id": "k1", "project_id": "p1", "name": "web", "key_hash": CANARY, "expires_at": "2026-04-01 00:00:00"},
        {"id": "k2", "project_id": "p1", "name": "app"},
    ],
    "dashboards": [{"id": "d1", "project_id": "p1", "name": "Sales", "layout": [{"w": 1}]}],
    "saved_queries": [
        {"id": "q1", "project_id": "p1", "name": "Views", "query_type": "trend", "query_params": {"metric": "events"}}
    ],
    "visualizations": [{"id": "v1", "dashboard_id": "d1", "query_id": "q1", "visualization_type": "line"}],
    "audit_logs": [
        {"id": "1", "user_id": "u1", "action": "update", "entity_type": "dashboard", "entity_id": "d1",
         "created_at": "2026-03-02 23:59:59"},
        {"id": "2", "user_id": "u1", "action": "login", "entity_type": "user", "entity_id": "u1",
         "created_at": "2026-03-02 08:00:00"},
    ],
    "system_logs": [
        {"id": "1", "component": "mail", "level": "ERROR", "message": "no", "created_at": "2026-03-02 08:00:00"},
        {"id": "2", "component": "mail", "level": "info", "message": "yes", "created_at": "2026-03-02 08:00:00"},
    ],
    "user_sessions": [{"id": "s1", "user_id": "u1", "token": CANARY, "created_at": "2026-03-02 08:00:00"}],
    "password_reset_tokens": [
        {"id": "r1", "user_id": "u1", "token": CANARY, "is_used": True, "created_at": "2026-03-03 08:00:00"}
    ],
}  # fmt: skip


@pytest.fixture
def builder(warehouse: Warehouse, tmp_path: Path) -> Builder:
    drop(warehouse)
    return Builder(warehouse, tmp_path)


def load(builder: Builder, table: str, rows: list[dict[str, Any]]) -> None:
    """A whole table of the product, as a file."""
    warehouse = builder.warehouse
    raw_tables.create(warehouse)
    contract = contract_named(warehouse.settings.home, "radixinsight")
    path = builder.folder / f"{table}.ndjson"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    with exclusive(warehouse, "load"):
        load_file(warehouse, contract, contract.table(table), path, Options())


def test_projects_have_what_is_theirs_and_logs_are_counted_by_day(builder: Builder) -> None:
    def rows(sql: str) -> list[Any]:
        with builder.warehouse.client(builder.warehouse.settings.database) as client:
            return list(client.query(f"{sql} ORDER BY ALL").result_rows)

    for table, its_rows in ROWS.items():
        load(builder, table, its_rows)
    builder.build()
    assert rows("SELECT tenant_id, name, is_active, settings FROM projects") == [
        ("p1", "Shop", 1, '{"smtp":{"password":"***"},"theme":"dark"}'), ("p2", "Blog", 0, ""),
    ]  # fmt: skip
    assert rows("SELECT tenant_id, user_id, name, role FROM project_members") == [("p1", "u1", "Ann Lee", "admin")]
    assert rows("SELECT api_key_id, is_active, is_expired FROM api_keys") == [("k1", 1, 1), ("k2", 1, 0)]
    assert rows("SELECT tenant_id, visualization_id, query_id FROM visualizations") == [("p1", "v1", "q1")]
    assert rows("SELECT tenant_id, query_type, query_params FROM saved_queries") == [
        ("p1", "trend", '{"metric":"events"}')
    ]
    audit = "SELECT tenant_id, toString(date), action, actions_count, users_count FROM audit_actions_daily"
    assert rows(audit) == [("", "2026-03-02", "login", 1, 1), ("p1", "2026-03-02", "update", 1, 1)]
    assert rows("SELECT error_type, errors_count, components, sample_messages FROM errors_hourly") == [
        ("mail", 1, ["mail"], ["no"])
    ]
    security = "SELECT toString(date), logins_count, resets_requested_count, resets_used_count FROM security_daily"
    assert rows(security) == [("2026-03-02", 1, 0, 0), ("2026-03-03", 0, 1, 1)]
    assert rows("SELECT tenant_id, kind, name FROM tenants") == [("p1", "project", "Shop"), ("p2", "project", "Blog")]
    # staff logs out, which deletes the login there, not here; a dashboard is gone, and its actions stay its project's
    load(builder, "user_sessions", [])
    load(builder, "dashboards", [])
    load(builder, "audit_logs", [*ROWS["audit_logs"], ROWS["audit_logs"][0] | {"id": "3"}])
    builder.build(test=False)
    assert rows("SELECT count() FROM dashboards") == [(0,)]
    assert rows(security)[0] == ("2026-03-02", 1, 0, 0)
    assert rows(audit)[1] == ("p1", "2026-03-02", "update", 2, 1)
    builder.build(full_refresh=True, publish=False, test=False)
    assert builder.differences() == []
