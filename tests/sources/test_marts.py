"""What a synced MCP platform gives in the tables, and that it stays what a rebuild gives."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from cli.identity_statements import statements
from ingest import erasures, ledger
from orchestration.plan import published_seq
from privacy.person import person_of
from serving.pipes import dashboards, pipes
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

    def seen(dashboard: str, *parts: str, **parameters: object) -> Any:
        query = dashboards()[dashboard].query(order="DESC", id_type="user_id")
        with platform.warehouse.client(platform.warehouse.settings.database) as client:
            text = client.raw_query(f"{query} FORMAT JSONEachRow", parameters=parameters)
        return [orjson.loads(text)[part] for part in parts] if text else None

    platform.sync()
    builder.build()
    assert rows(_TOOLS) == [("acme", "read", 2, 1, 0, 0.5, 1), ("other", "send", 1, 0, 1, None, 1)]
    assert rows(_BILLS) == [
        ("acme", "2026-01-01", 1, 2, Decimal("25.02")), ("other", "2026-01-01", 1, 1, Decimal("25.01")),
    ]  # fmt: skip
    assert rows("SELECT connection_id, user_id, provider, calls_count, failed_calls_count FROM mcp_connections") == [
        ("c1", "u1", "github", 1, 0)
    ]
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
    overview, trends = seen("organization", "overview", "usage_trends", location_id="acme")
    assert overview == {"total_users": 1, "active_sessions": 1, "mcp_servers": 1, "monthly_tool_calls": 0}
    assert trends["daily_active_users"] == [0] * 7 and trends["average_session_length"] is None
    server, usage, activity = seen(
        "server", "server_info", "usage_stats", "user_activity", location_id="acme", server="files"
    )
    assert server == {"name": "Files", "slug": "files", "organization": "Acme", "created": "2026-01-01"}
    assert (usage["total_users"], usage["total_tool_calls"], usage["success_rate"]) == (1, 2, 50)
    assert usage["avg_response_time"] == "65ms"
    assert activity == {"new_users_this_month": 0, "returning_users": 1, "power_users": 0, "at_risk_users": 0}
    assert seen("server", location_id="other", server="files") is None
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
    # asked for by the email; an account at the platform that never did anything has it, too
    platform.run("INSERT INTO mcp_end_user (id, email) VALUES ('e9', 'Ann@acme.example ')")
    platform.sync()
    builder.build(test=False)
    with platform.warehouse.client() as client:
        raw, published = platform.warehouse.settings.raw_database, platform.warehouse.settings.database
        person = person_of(client, published, "acme", "ANN@acme.example")
        assert person and (person.ids, person.emails) == (["u1", "u3"], ["ann@acme.example"])
        erasures.commit(client, raw, "acme", person.ids, person.traits, person.emails)
    builder.erase("acme", "u2")
    builder.build(test=False)
    builder.purge()
    assert rows("SELECT account_id FROM mcp_accounts") == [("u2",)]
    for _ in range(2):
        assert platform.rows("SELECT count() FROM source_rows WHERE `table` = 'mcp_end_user'") == [(0,)]
        accounts = (
            "SELECT DISTINCT `table`, key FROM source_rows WHERE `table` IN ('mcp_server_user', 'mcp_server_session')"
        )
        assert platform.rows(accounts) == [("mcp_server_user", "u2")]
        assert platform.rows("SELECT count() FROM events WHERE distinct_id IN ('u1', 'u3')") == [(0,)]
        platform.sync(full=True)


_PEOPLE = "SELECT distinct_id, user_id FROM identities WHERE tenant_id = 'acme'"


def test_accounts_with_one_email_or_one_id_at_the_provider_are_one_person(platform: Platform, tmp_path: Path) -> None:
    """In each organization by what is known there; and whatever comes later, as a rebuild would have it."""
    builder = Builder(platform.warehouse, tmp_path)

    def rows(sql: str) -> list[Any]:
        with platform.warehouse.client(platform.warehouse.settings.database) as client:
            return list(client.query(f"{sql} ORDER BY ALL").result_rows)

    def calls(account: str, server: str = "files", at: int = 1767352000000) -> str:
        return (
            "INSERT INTO mcp_tool_calls (id, mcp_server_user_id, mcp_server_slug, tool_name, success, created_at)"
            f" VALUES ('call-{account}-{server}', '{account}', '{server}', 'read', true, {at})"
        )

    def built() -> dict[str, str]:
        platform.sync()
        builder.build(test=False)
        return dict(rows(_PEOPLE))

    def require_the_same_of_a_rebuild() -> None:
        builder.build(full_refresh=True, publish=False, test=False)
        assert builder.differences() == []

    # the same email in other letters, an id at the provider, and an account at the platform with the id of that one
    for statement in (
        "INSERT INTO mcp_server_user (id, email, upstream_sub, first_seen_at) VALUES"
        " ('u3', ' ANN@acme.example', 'e1', '2026-01-05'), ('u4', NULL, 'e1', '2026-01-01'),"
        " ('elsewhere', 'ann@acme.example', NULL, '2026-01-01')",
        "INSERT INTO mcp_end_user (id, email, email_verified) VALUES ('e1', 'cy@x.example', false),"
        " ('e2', 'cy@x.example', true), ('e3', 'cy@x.example', true)",
        *map(calls, ("u3", "u4", "e1", "e2", "e3")),
        calls("elsewhere", "mail"), calls("u3", "mail"),
    ):  # fmt: skip
        platform.run(statement)
    assert built() == {"u1": "u1", "u3": "u1", "u4": "u1", "e1": "u1", "e2": "e2", "e3": "e2"}
    pairs = [("u3", "u1"), ("u4", "u1"), ("u3", "u4")]
    said = statements(platform.warehouse, "acme", pairs, "", published_seq(platform.warehouse) or 0)
    assert {one.pair for one in said if "the same email" in one.source} == {("u3", "u1"), ("u3", "u4")}
    assert rows("SELECT user_id, distinct_id FROM identities WHERE tenant_id = 'other' AND distinct_id != 'u2'") == [
        ("elsewhere", "elsewhere"), ("elsewhere", "u3"),
    ]  # fmt: skip
    accounts = rows("SELECT account_id, user_id, email, provider FROM mcp_accounts WHERE tenant_id = 'acme'")
    assert accounts[:2] == [("e1", "u1", "cy@x.example", ""), ("e2", "e2", "cy@x.example", "")]
    assert ("u1", "u1", "ann@acme.example", "github") in accounts
    journeys = "SELECT user_id, calls_count, connections_count, servers_count, tools FROM mcp_user_journeys"
    assert rows(f"{journeys} WHERE tenant_id = 'acme'") == [("e2", 2, 0, 1, ["read"]), ("u1", 4, 1, 1, ["read"])]
    assert rows("SELECT tenant_id, servers_count, users_count, calls_count FROM mcp_organization_stats") == [
        ("acme", 1, 2, 7), ("other", 1, 2, 3),
    ]  # fmt: skip
    # an email changes, an account is gone, and a row of mappings has the last word
    platform.run("UPDATE mcp_end_user SET email = 'dora@x.example' WHERE id = 'e3'")
    platform.run("DELETE FROM mcp_server_user WHERE id = 'u3'")
    assert built() == {"u1": "u1", "u3": "u3", "u4": "e1", "e1": "e1", "e2": "e2", "e3": "e3"}
    parted = {"tenant_id": "acme", "anonymous_id": "e1", "user_id": "u4", "is_deleted": 1}
    builder.load(File("identity_mappings", "parted.ndjson", [parted]))
    assert built()["u4"] == "u4"
    # an address that too many have is nobody's; when fewer have it, it is somebody's again
    platform.run(
        "INSERT INTO mcp_server_user (id, email) SELECT 'test' || lpad(n::text, 2, '0'), 'test@example.com'"
        " FROM generate_series(1, 26) AS n"
    )
    platform.run(
        "INSERT INTO mcp_tool_calls (id, mcp_server_user_id, mcp_server_slug, tool_name, created_at)"
        " SELECT 'call-' || id, id, 'files', 'read', 1767353000000 FROM mcp_server_user WHERE email LIKE 'test@%'"
    )
    people = built()
    assert people["test01"] == "test01" and people["test26"] == "test26"
    require_the_same_of_a_rebuild()
    conflict = "SELECT anonymous_id, rejected_user_id, kept_user_id, reason FROM identity_conflicts"
    too_many = "too many accounts have its email or its id at the provider"
    assert (("test01", "", "test01", too_many)) in rows(conflict)
    platform.run("DELETE FROM mcp_server_user WHERE id = 'test26'")
    assert built()["test25"] == "test01"
    assert not [row for row in rows(conflict) if row[3] == too_many]
    # a sync that is withdrawn takes what it said with it
    with platform.warehouse.client() as client:
        raw = platform.warehouse.settings.raw_database
        ledger.withdraw(client, raw, ledger.newest_first(client, raw, "source_rows")[:1])
    builder.build()
    assert dict(rows(_PEOPLE))["test25"] == "test25"
    require_the_same_of_a_rebuild()
