"""What a synced MCP platform gives in the tables, and that it stays what a rebuild gives."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from serving.pipes import pipes
from tests.exactness.builds import Builder
from tests.exactness.stories import File
from tests.sources.conftest import Platform

_TOOLS = (
    "SELECT tenant_id, tool_name, calls_count, failed_count, unknown_count, success_rate, users_count FROM mcp_tools"
)
_BILLS = "SELECT tenant_id, toString(month), active_users_count, calls_count, total_revenue FROM mcp_billing_months"


def test_tools_and_bills_of_an_organization_and_a_login_that_rewrites_no_call(
    platform: Platform, tmp_path: Path
) -> None:
    builder = Builder(platform.warehouse, tmp_path)

    def rows(sql: str) -> list[Any]:
        with platform.warehouse.client(platform.warehouse.settings.database) as client:
            return list(client.query(f"{sql} ORDER BY ALL").result_rows)

    def asked(endpoint: str, **parameters: object) -> list[Any]:
        query = pipes()[endpoint].query(order="DESC", id_type="user_id")
        with platform.warehouse.client(platform.warehouse.settings.database) as client:
            return list(client.query(query, parameters=parameters).result_rows)

    platform.sync()
    builder.build()
    assert rows(_TOOLS) == [("acme", "read", 2, 1, 0, 0.5, 1), ("other", "send", 1, 0, 1, None, 1)]
    assert rows(_BILLS) == [
        ("acme", "2026-01-01", 1, 2, Decimal("25.02")), ("other", "2026-01-01", 1, 1, Decimal("25.01")),
    ]  # fmt: skip
    assert rows("SELECT tenant_id, slug, is_deleted FROM mcp_servers") == [("acme", "files", 0), ("other", "mail", 0)]
    tools = asked("mcp_tools", location_id="acme", server_id=None, date_from=None, date_to=None, limit=100)
    assert [row[1:8] for row in tools] == [("files", "read", 2, 1, 1, 0.5, 1)]
    assert (
        asked("mcp_tools", location_id="acme", server_id=None, date_from="2026-01-03 00:00:00", date_to=None, limit=100)
        == []
    )
    assert asked("mcp_billing", location_id="other", limit=12)[0][2:7] == (
        1, 1, Decimal(25), Decimal("0.01"), Decimal("25.01")
    )  # fmt: skip
    # a second account of the same person calls, and a server is gone
    platform.run("DELETE FROM mcp_server WHERE slug = 'mail'")
    platform.run(
        "INSERT INTO mcp_tool_calls (id, mcp_server_user_id, mcp_server_slug, tool_name, success, created_at) VALUES"
        " ('t5', 'u3', 'files', 'read', true, 1767351600001), ('t6', 'u3', 'files', 'write', true, 1769904000000)"
    )
    platform.sync()
    builder.build()
    assert rows(_BILLS) == [
        ("acme", "2026-01-01", 2, 3, Decimal("50.03")), ("acme", "2026-02-01", 1, 1, Decimal("25.01")),
        ("other", "2026-01-01", 1, 1, Decimal("25.01")),
    ]  # fmt: skip
    assert rows("SELECT slug, is_deleted FROM mcp_servers") == [("files", 0), ("mail", 1)]
    before = rows("SELECT * FROM int_mcp_id_days")
    merged = {"tenant_id": "acme", "anonymous_id": "u3", "user_id": "u1", "kind": "merge"}
    builder.load(File("identity_mappings", "merged.ndjson", [merged]))
    builder.build()
    assert rows("SELECT * FROM int_mcp_id_days") == before
    assert rows(_BILLS)[0] == ("acme", "2026-01-01", 1, 3, Decimal("25.03"))
    builder.build(full_refresh=True, publish=False, test=False)
    assert builder.differences() == []
    # the person of acme is erased: the account goes, too, but not that of another organization; no sync brings it back
    builder.erase("acme", "u1")
    builder.erase("acme", "u2")
    builder.build()
    builder.purge()
    for _ in range(2):
        accounts = (
            "SELECT DISTINCT `table`, key FROM source_rows WHERE `table` IN ('mcp_server_user', 'mcp_server_session')"
        )
        assert platform.rows(accounts) == [("mcp_server_user", "u2")]
        assert platform.rows("SELECT count() FROM events WHERE distinct_id IN ('u1', 'u3')") == [(0,)]
        platform.sync(full=True)
