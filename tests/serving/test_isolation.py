"""Tenants never see each other: by keys over HTTP, and by users with SQL of their own."""

import statistics
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from serving import keys
from serving.pipes import pipes
from tests.cli.conftest import footfall_of
from tests.serving.conftest import CANARY, Service, serving
from tests.serving.test_endpoints import NEEDED
from warehouse import access, access_sql
from warehouse.connection import Warehouse

# What people try in every parameter.
TRIES = [
    "rival", "rival'", "' or '1'='1", "shop' or tenant_id='rival", "rival--", "rival/*", "%", "*", "_",
    "shop' union all select * from users --", "['shop','rival']", "shop,rival", "rıval", "rival\u200b",
    "\\N", "\\", "{location_id:String}", "1); drop table users --", "ann@shop.example", CANARY, "RIVAL", "",
]  # fmt: skip


def test_another_tenants_rows_are_reached_by_no_parameter(service: Service) -> None:
    for name, pipe in pipes().items():
        for parameter in pipe.parameters:
            for value in TRIES:
                answer = service.get(name, **NEEDED.get(name, {}) | {parameter: value})
                assert answer.status_code in (200, 400), (name, parameter, value, answer.text)
                said = answer.text.replace(repr(value), "") if answer.status_code == 400 else answer.text
                assert CANARY not in said, (name, parameter, value)


def test_a_tenant_in_any_spelling_is_another_one(service: Service) -> None:
    headers = {"Authorization": f"Bearer {service.keys['shop']}"}
    told = set()
    for value in (*TRIES, "SHOP", "shop ", "no such tenant"):
        answer = service.http.get(
            f"{service.address}/v0/pipes/session_stats.json", params={"location_id": value}, headers=headers
        )
        told.add((answer.status_code, answer.text))
        assert "shop" not in answer.text
    assert len(told) == 1 and told.pop()[0] == 403
    both = [("location_id", "shop"), ("location_id", "rival")]
    answer = service.http.get(f"{service.address}/v0/pipes/session_stats.json", params=both, headers=headers)
    assert answer.status_code == 403


def test_a_foreign_tenant_takes_as_long_as_one_that_does_not_exist(service: Service) -> None:
    headers = {"Authorization": f"Bearer {service.keys['shop']}"}

    def seconds(tenant: str) -> float:
        started = time.perf_counter()
        service.http.get(
            f"{service.address}/v0/pipes/session_stats.json", params={"location_id": tenant}, headers=headers
        )
        return time.perf_counter() - started

    pairs = [(seconds("rival"), seconds("nobody")) for _ in range(60)]
    foreign, missing = (statistics.median(times) for times in zip(*pairs, strict=True))
    assert abs(foreign - missing) < 0.5 * max(foreign, missing)


def test_no_key_no_answer(service: Service) -> None:
    address = f"{service.address}/v0/pipes/session_stats.json"
    for headers in ({}, {"Authorization": "Bearer ff_wrong"}, {"Authorization": "Basic abc"}):
        answer = service.http.get(address, params={"location_id": "shop"}, headers=headers)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    by_address = {"location_id": "shop", "token": service.keys["shop"]}
    assert service.http.get(address, params=by_address).status_code == 200


def test_keys_are_made_listed_revoked_and_run_out(service: Service) -> None:
    footfall = footfall_of(service.warehouse)
    made = footfall("keys", "create", "--tenant", "shop", "--expires", "2099-01-01")
    key = made.stdout.strip()
    assert made.stdout.count("\n") == 1 and key.startswith("ff_") and key not in made.stderr
    listed = footfall("keys", "list").stdout
    assert "2099-01-01" in listed and key not in listed
    with service.warehouse.client() as client:
        stored = client.query("SELECT * FROM raw.api_keys FINAL").result_rows
    assert key not in str(stored) and keys.hash_of(key) in str(stored)

    def status(token: str) -> int:
        params = {"location_id": "shop", "token": token}
        return service.http.get(f"{service.address}/v0/pipes/session_stats.json", params=params).status_code

    time.sleep(1.1)
    assert status(key) == 200
    (key_id,) = [one.key_id for one in keys.all_keys(service.warehouse) if one.key_hash == keys.hash_of(key)]
    assert footfall("keys", "revoke", key_id).returncode == 0
    append = keys.create(service.warehouse, "shop", "append")
    time.sleep(1.1)
    assert status(key) == 401
    assert status(append) == 403
    assert footfall("keys", "create", "--tenant", "shop", "--expires", "2020-01-01").returncode == 2
    assert footfall("keys", "revoke", "nothing").returncode == 2


def test_every_call_is_written_down_without_what_was_asked(service: Service) -> None:
    service.get("user_profile_events", user_id="ann@shop.example")
    service.get("user_sessions", limit="x")
    time.sleep(1.5)
    with service.warehouse.client() as client:
        rows = client.query(
            "SELECT key_id, endpoint, tenant_id, status, `rows`, milliseconds > 0 FROM raw.api_calls ORDER BY at"
        ).result_rows
    own = {one.key_id for one in keys.all_keys(service.warehouse) if one.key_hash == keys.hash_of(service.keys["shop"])}
    assert {row[0] for row in rows[-2:]} == own
    assert [row[1:] for row in rows[-2:]] == [
        ("user_profile_events", "shop", 200, 6, 1), ("user_sessions", "shop", 400, 0, 1),
    ]  # fmt: skip
    assert "ann@" not in str(rows) and service.keys["shop"] not in str(rows)


def test_a_key_may_be_used_so_often_and_each_by_itself(service: Service) -> None:
    with serving(service.warehouse, ["shop", "rival"], FOOTFALL_API_RATE="3/minute") as slow:
        assert [slow.get("session_stats").status_code for _ in range(4)] == [200, 200, 200, 429]
        assert slow.get("session_stats", "rival").status_code == 200


def test_no_log_holds_a_key(service: Service) -> None:
    token = service.keys["shop"]
    service.http.get(f"{service.address}/v0/pipes/session_stats.json", params={"location_id": "shop", "token": token})
    with service.warehouse.client() as client:
        client.command("SYSTEM FLUSH LOGS")
        found = client.query(
            "SELECT count() FROM system.query_log WHERE position(query, {token:String}) > 0 AND user != currentUser()",
            parameters={"token": token},
        ).first_row[0]
    assert found == 0
    home = service.warehouse.settings.home
    places = [place for place in home.rglob("*") if home / "warehouse" / "data" not in place.parents]
    logs = [place for place in places if place.is_file() and place.suffix in (".log", ".json", ".xml")]
    assert logs and not any(token.encode() in path.read_bytes() for path in logs)


def test_whatever_the_openapi_document_allows_is_answered_or_refused_in_one_form(service: Service) -> None:
    document = service.http.get(f"{service.address}/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    schema.config.base_url = service.address

    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if not operation.path.endswith(".json") or operation.path == "/openapi.json":
            continue

        @settings(max_examples=5, deadline=None, database=None, derandomize=True, suppress_health_check=[*HealthCheck])
        @given(case=operation.as_strategy())
        def case_is_answered(case: Any) -> None:
            nonlocal tried
            case.query = dict(case.query or {}) | {"location_id": "shop"}
            answer = service.http.get(
                f"{service.address}{case.formatted_path}",
                params=case.query,
                headers={"Authorization": f"Bearer {service.keys['shop']}"},
            )
            assert answer.status_code in (200, 400, 404), answer.text
            assert CANARY not in answer.text
            tried += 1

        case_is_answered()
    assert tried >= 5 * len(pipes())


# Users with SQL of their own.


@pytest.fixture(scope="module")
def analysts(built: Warehouse) -> Iterator[dict[str, httpx.Client]]:
    """A client for each user: analysts of one tenant, analysts of all, and the service's own two."""
    footfall = footfall_of(built)
    address = f"http://{built.host}:{built.port}"
    clients = {}
    people = {
        "lia": ["--tenant", "shop"],
        "boss": [],
        "tim": ["--tenant", "shop", "--role", "account_analyst"],
        "support": ["--role", "account_analyst"],
    }
    for name, options in people.items():
        added = footfall("access", "user", "add", name, *options)
        assert added.returncode == 0, added.stderr
        assert added.stdout.count("\n") == 1
        clients[name] = httpx.Client(auth=(name, added.stdout.strip()), base_url=address, trust_env=False)
    for name in access.definition().services:
        password = access.service_password(built.settings.home, name)
        clients[name] = httpx.Client(auth=(name, password), base_url=address, trust_env=False)
    built.close()  # the server was started again
    yield clients
    for name in people:
        assert footfall("access", "user", "drop", name).returncode == 0
    built.close()
    assert clients["lia"].post("/", content="SELECT 1").status_code in (401, 403)


def ask(client: httpx.Client, query: str) -> str:
    """What the server says, an error too."""
    return client.post("/", params={"database": "analytics"}, content=query).text


def test_a_tenants_analyst_sees_no_other_tenant_in_any_published_table_or_view(
    analysts: dict[str, httpx.Client], built: Warehouse
) -> None:
    with built.client() as client:
        names = [
            name
            for (name,) in client.query(
                "SELECT name FROM system.tables WHERE database = 'analytics' ORDER BY name"
            ).result_rows
        ]
    assert {"events", "sessions", "users", "int_events", "funnel_events"} <= set(names)
    seen = 0
    for name in names:
        told = ask(analysts["lia"], f"SELECT * FROM {name} FORMAT JSONEachRow")
        assert CANARY not in told, name
        if "ACCESS_DENIED" not in told:
            tenants = ask(analysts["lia"], f"SELECT DISTINCT tenant_id FROM {name} ORDER BY 1").split()
            assert set(tenants) <= {"shop"}, name
            seen += bool(tenants)
    assert seen > 25
    # a table with tenants can be read, and a view as well: all that it reads is of tenants, too
    with built.client() as client:
        of_tenants = client.query(
            "SELECT DISTINCT table FROM system.columns WHERE database = 'analytics' AND name = 'tenant_id'"
        ).result_rows
    refused = [name for (name,) in of_tenants if "ACCESS_DENIED" in ask(analysts["lia"], f"SELECT count() FROM {name}")]
    assert refused == ["mcp_accounts"]
    assert ask(analysts["boss"], "SELECT arraySort(groupUniqArray(tenant_id)) FROM events") == "['rival','shop']\n"


def test_whose_email_is_whose_is_for_those_who_may_see_it(analysts: dict[str, httpx.Client]) -> None:
    told = {name: ask(analysts[name], "SELECT count() FROM mcp_accounts") for name in ("lia", "boss", "tim", "support")}
    assert told["tim"] == told["support"] == "0\n"
    assert "ACCESS_DENIED" in told["lia"] and "ACCESS_DENIED" in told["boss"]


ACROSS = [
    "SELECT * FROM users UNION ALL SELECT * FROM users",
    "SELECT * FROM events AS a JOIN events AS b ON a.distinct_id = b.distinct_id",
    "SELECT * FROM (SELECT * FROM sessions WHERE tenant_id = 'rival' OR 1)",
    "WITH x AS (SELECT * FROM sessions) SELECT * FROM x WHERE tenant_id != 'shop'",
    "SELECT * FROM merge('analytics', '^users$')",
    "SELECT * FROM view(SELECT * FROM analytics.users)",
    "SELECT * FROM mergeTreeIndex('analytics', 'users')",
    "SELECT * FROM users PREWHERE tenant_id = 'rival'",
    "SELECT * FROM users FINAL",
    "SELECT groupArray(attributes) FROM users WHERE tenant_id IN ('rival') OR tenant_id LIKE '%'",
    "SELECT * FROM users SETTINGS additional_table_filters = {'users': '1'}",
    "SELECT (SELECT groupArray(current_url) FROM events)",
    "SELECT * FROM raw.events", "SELECT * FROM raw.lines", "SELECT * FROM analytics_next.events",
    "SELECT * FROM system.query_log", "SELECT * FROM system.processes", "SELECT * FROM system.parts",
    "SELECT * FROM system.parts_columns", "SELECT * FROM system.users", "SELECT * FROM system.row_policies",
    "SELECT * FROM system.zookeeper", "SELECT * FROM system.part_log", "SELECT * FROM system.text_log",
    "SHOW PROCESSLIST", "SHOW CREATE USER", "SHOW GRANTS FOR footfall",
    "SELECT dictGet('d', 'a', 1)", "SELECT * FROM dictionary('d')",
    # errors are told before or after the policy has been at the rows
    "SELECT toUInt64(current_url) FROM events", "SELECT 1 FROM events WHERE toUInt64(current_url) = 1",
    "SELECT 1 FROM int_events PREWHERE toUInt64(current_url) = 1", "SELECT toUInt64(attributes) FROM users",
    "SELECT 1 FROM users WHERE toUInt64(attributes) = 1 SETTINGS query_plan_enable_optimizations = 0",
    "EXPLAIN indexes = 1, actions = 1 SELECT * FROM users WHERE tenant_id = 'rival'",
    "SELECT * FROM system.tables", "SELECT * FROM system.columns", "SELECT * FROM system.completions",
    "SELECT min(current_url), max(current_url) FROM int_events",
    "SELECT * FROM mergeTreeAnalyzeIndexes('analytics', 'users')",
]  # fmt: skip


@pytest.mark.parametrize("query", ACROSS)
def test_no_way_across(analysts: dict[str, httpx.Client], query: str) -> None:
    assert CANARY not in ask(analysts["lia"], f"{query} FORMAT JSONEachRow" if query.startswith("SEL") else query)


SOURCES = [
    "SELECT * FROM file('/etc/passwd', 'LineAsString', 'l String')",
    "SELECT file('/etc/passwd')", "SELECT file('/etc/passwd', 'none')", "SELECT file(materialize('/etc/passwd'))",
    "SELECT `f\\x69le`('/etc/passwd')", "SELECT arrayMap(file, ['/etc/passwd'])", "SELECT 'a' IN (file('/etc/passwd'))",
    "SELECT * APPLY file FROM (SELECT '/etc/passwd' AS a)", "SELECT * FROM view(SELECT file('/etc/passwd') AS a)",
    "SELECT * FROM values('a String', (file('/etc/passwd')))", "SELECT * FROM numbers(length(file('/etc/passwd')))",
    "SELECT 1 SETTINGS additional_result_filter = 'match(file(\\'/etc/passwd\\'), \\'root\\')'",
    "WITH (x -> file(x)) AS f SELECT f('/etc/passwd')", "DROP FUNCTION file",
    "CREATE OR REPLACE FUNCTION file AS x -> x",
    "SELECT 1 AS a FORMAT Template SETTINGS format_template_row = '/etc/passwd'",
    "SELECT 1 AS a FORMAT Template SETTINGS format_template_resultset = '/etc/passwd'",
    "SELECT 1 AS a FORMAT Protobuf SETTINGS format_schema = '/etc/passwd:x'",
    "SELECT * FROM filesystem('/etc')", "SELECT * FROM default.`/etc/passwd`", "DESCRIBE TABLE file('/etc/passwd')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString', 'l String')",
    "SELECT * FROM remote('127.0.0.1', 'analytics', 'users')",
    "SELECT * FROM executable('id', 'TSV', 'l String')",
    "SELECT * FROM sqlite('/tmp/x', 't')",
    "SELECT * FROM s3('http://127.0.0.1:1/x')",
    "SELECT * FROM mysql('127.0.0.1:1', 'd', 't', 'u', 'p')",
    "SELECT * FROM postgresql('127.0.0.1:1', 'd', 't', 'u', 'p')",
    "INSERT INTO raw.api_calls (endpoint) FROM INFILE '/etc/passwd' FORMAT LineAsString",
    "SELECT * FROM users INTO OUTFILE '/tmp/footfall-outfile'",
    "CREATE TABLE analytics.x (a String) ENGINE = File(LineAsString, '/etc/passwd')",
    "CREATE TABLE analytics.x (a String) ENGINE = URL('http://127.0.0.1:1/', LineAsString)",
    "CREATE DICTIONARY analytics.d (a String) PRIMARY KEY a SOURCE(EXECUTABLE(COMMAND 'id' FORMAT 'TSV'))"
    " LIFETIME(0) LAYOUT(FLAT())",
    "CREATE FUNCTION f AS x -> x", "BACKUP TABLE analytics.users TO File('x')", "SYSTEM SHUTDOWN",
    "INSERT INTO analytics.users (tenant_id) VALUES ('x')", "DROP TABLE analytics.users", "KILL QUERY WHERE 1",
]  # fmt: skip


@pytest.mark.parametrize("query", SOURCES)
def test_files_addresses_and_programs_are_out_of_reach_of_all_but_the_builder(
    analysts: dict[str, httpx.Client], query: str
) -> None:
    for name, client in analysts.items():
        answer = client.post("/", content=query)
        assert answer.status_code != 200, (name, answer.text)
        assert "root:" not in answer.text


def test_an_estimate_tells_nothing_of_another_tenant(analysts: dict[str, httpx.Client]) -> None:
    for table in ("users", "int_events", "sessions"):
        told = {
            ask(analysts["lia"], f"EXPLAIN ESTIMATE SELECT * FROM {table} WHERE tenant_id = '{tenant}'")
            for tenant in ("rival", "no such tenant")
        }
        assert len(told) == 1, table


def test_limits_cannot_be_raised(analysts: dict[str, httpx.Client]) -> None:
    for name in ("max_execution_time", "max_memory_usage", "max_rows_to_read", "max_result_rows"):
        for value in (0, 10**11):
            assert "SETTING_CONSTRAINT_VIOLATION" in ask(analysts["lia"], f"SELECT 1 SETTINGS {name} = {value}")
    assert ask(analysts["lia"], "SELECT 1 SETTINGS max_execution_time = 10") == "1\n"
    assert ask(analysts["lia"], "SELECT 1 SETTINGS readonly = 0") != "1\n"


def test_the_same_users_as_sql_for_a_server_of_ones_own(built: Warehouse, analysts: dict[str, httpx.Client]) -> None:
    statements = list(access_sql.statements(access.users(built.settings)))
    with built.client() as client:
        for statement in statements:
            # the local server can read them all, though it cannot run them
            client.query("SELECT formatQuery({q:String})", parameters={"q": statement})
    text = "\n".join(statements)
    assert "CREATE ROW POLICY OR REPLACE footfall_lia ON analytics.events FOR SELECT" in text
    assert "GRANT SELECT ON analytics.events TO `lia`" in text
    assert "GRANT SELECT ON analytics.* TO `lia`" not in text and "unhex('73686f70')" in text
