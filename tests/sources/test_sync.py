"""What `footfall sync` reads of a real PostgreSQL, and what comes of it."""

import subprocess
import sys
from pathlib import Path

import orjson
import psycopg
import pytest

from ingest import ledger
from ingest.sources import events
from ingest.sources.contract import SECRET, contract_named, contracts
from ingest.sources.syncing import Options, load_file
from tests.cli.conftest import ROOT, environment_of
from tests.sources.conftest import CANARY, Platform
from warehouse.errors import FootfallError
from warehouse.lock import exclusive

_KNOWN = """
    SELECT `table`, key, argMax(document, load_id) FROM source_rows
    WHERE load_id IN (SELECT load_id FROM loads FINAL WHERE status = 'committed')
    GROUP BY `table`, key HAVING NOT argMax(is_deleted, load_id) ORDER BY ALL
"""


def test_rows_land_typed_and_calls_are_events_of_the_servers_organization(platform: Platform) -> None:
    done = platform.sync()
    assert {name: (one.seen, one.changed, one.events) for name, one in done.items()} == {
        "organization": (2, 2, 0), "mcp_server": (2, 2, 0), "mcp_server_user": (2, 2, 0),
        "mcp_end_user": (0, 0, 0), "mcp_server_session": (1, 1, 1), "mcp_tool_calls": (4, 0, 3),
    }  # fmt: skip
    assert done["mcp_tool_calls"].rejected == 1
    known = {(table, key): document for table, key, document in platform.rows(_KNOWN)}
    # a moment with a zone is the moment that it is; infinity is none; what is NULL is not there
    assert known["mcp_server_user", "u1"] == {
        "id": "u1", "email": "ann@acme.example", "first_seen_at": "2026-01-02 10:00:00.000000", "locale": "de",
    }  # fmt: skip
    assert known["mcp_server_user", "u2"] == {"id": "u2", "email": "bob\tb\\é", "locale": "de"}
    assert known["mcp_server_session", "c1"]["connected_at"] == "2026-01-02 10:00:00.000000"
    assert known["mcp_server_session", "c1"]["oauth_provider"] == "github"
    assert known["organization", "acme"]["created_at"] == "2026-01-01 00:00:00.000000"
    assert known["mcp_server", "00000000-0000-0000-0000-000000000001"]["enabled"] == "1"
    events = platform.rows(
        "SELECT tenant_id, event_id, event, toString(timestamp), distinct_id, is_identified, properties FROM events"
        " ORDER BY event_id"
    )
    assert [row[:6] for row in events] == [
        ("acme", "mcp_server_session:c1", "mcp_connected", "2026-01-02 10:00:00.000000", "u1", 1),
        ("acme", "t1", "mcp_tool_call", "2026-01-02 11:00:00.000000", "u1", 1),
        ("other", "t2", "mcp_tool_call", "2026-01-02 11:00:01.000000", "u2", 1),
        ("acme", "t3", "mcp_tool_call", "2026-01-02 11:00:02.000000", "", 0),
    ]
    connected, called, of_unknown_end = (orjson.loads(row[6]) for row in events[:3])
    assert connected == {
        "server_id": "00000000-0000-0000-0000-000000000001", "server_slug": "files", "connection_id": "c1",
        "provider": "github",
    }  # fmt: skip
    assert called == {
        "server_id": "00000000-0000-0000-0000-000000000001", "server_slug": "files", "tool_name": "read",
        "success": True, "response_time_ms": 120, "input_bytes": 38, "output_bytes": 36,
    }  # fmt: skip
    assert "success" not in of_unknown_end
    assert platform.rows("SELECT reason, line > 0 FROM rejected_rows") == [("unknown server", True)]
    assert platform.rows(
        "SELECT uniqExact(line) FROM (SELECT line FROM events UNION ALL SELECT line FROM rejected_rows)"
    ) == [(5,)]


def test_a_sync_brings_what_changed_and_no_more(platform: Platform) -> None:
    platform.sync()
    again = platform.sync()
    assert {name: (one.changed, one.deleted, one.events, one.rejected) for name, one in again.items()} == dict.fromkeys(
        again, (0, 0, 0, 0)
    )
    assert platform.rows("SELECT count() FROM loads WHERE `table` = 'events'") == [(1,)]
    platform.run("UPDATE mcp_server_user SET email = 'new@acme.example' WHERE id = 'u1'")
    platform.run("DELETE FROM mcp_server_user WHERE id = 'u2'")
    platform.run("INSERT INTO mcp_tool_calls (id, mcp_server_user_id, mcp_server_slug, tool_name, created_at)"
                 " VALUES ('t5', 'u1', 'files', 'write', 1767355200000)")  # fmt: skip
    third = platform.sync()
    assert (third["mcp_server_user"].changed, third["mcp_server_user"].deleted) == (1, 1)
    assert (third["mcp_tool_calls"].seen, third["mcp_tool_calls"].events) == (5, 1)
    # from then on only what is a quarter of an hour older than the latest call
    assert (platform.sync()["mcp_tool_calls"].seen, platform.sync(full=True)["mcp_tool_calls"].seen) == (1, 5)
    assert platform.rows("SELECT count() FROM events") == [(5,)]
    users = [(key, document["email"]) for table, key, document in platform.rows(_KNOWN) if table == "mcp_server_user"]
    assert users == [("u1", "new@acme.example")]
    # a load that is withdrawn is found to be missing
    with platform.warehouse.client() as client:
        raw = platform.warehouse.settings.raw_database
        (latest,) = [load for load in ledger.newest_first(client, raw, "source_rows") if load.rows_accepted == 2]
        ledger.withdraw(client, raw, [latest])
    assert (platform.sync()["mcp_server_user"].changed, platform.sync()["mcp_server_user"].changed) == (1, 0)


def test_history_stays_with_the_organization_whose_it_was(platform: Platform) -> None:
    """A rename, and another organization that takes the freed slug, take no call with them."""
    platform.sync()
    platform.run("UPDATE mcp_server SET slug = 'documents' WHERE slug = 'files'")
    platform.run(
        "INSERT INTO mcp_server (id, slug, name, organization_id, created_at) VALUES"
        " ('00000000-0000-0000-0000-000000000003', 'files', 'New', 'other', '2026-02-01 00:00:00+00')"
    )
    platform.run(
        "INSERT INTO mcp_tool_calls (id, mcp_server_user_id, mcp_server_slug, tool_name, created_at) VALUES"
        # before the new server was there; after it; of the renamed one
        " ('t6', 'u1', 'files', 'read', 1769904000000 - 1000), ('t7', 'u1', 'files', 'read', 1769904000000 + 1000),"
        " ('t8', 'u1', 'documents', 'read', 1769904000000)"
    )
    platform.sync(full=True)
    assert platform.rows("SELECT event_id, tenant_id FROM events WHERE event_id NOT IN ('t2', 't3') ORDER BY ALL") == [
        ("mcp_server_session:c1", "acme"), ("t1", "acme"), ("t6", "acme"), ("t7", "other"), ("t8", "acme"),
    ]  # fmt: skip
    assert platform.rows("SELECT count() FROM events") == [(7,)]


def test_a_call_without_a_time_is_rejected(platform: Platform) -> None:
    platform.run("UPDATE mcp_tool_calls SET created_at = NULL WHERE id = 't1'")
    done = platform.sync()["mcp_tool_calls"]
    assert (done.events, done.rejected) == (2, 2)
    assert platform.rows("SELECT reason FROM rejected_rows ORDER BY reason") == [("no timestamp",), ("unknown server",)]


def test_a_source_that_lost_its_rows_empties_nothing(platform: Platform) -> None:
    platform.run("INSERT INTO mcp_server_user (id) SELECT 'n' || n FROM generate_series(1, 400) AS n")
    platform.sync()
    platform.run("DELETE FROM mcp_server_user WHERE id LIKE 'n1%'")
    with pytest.raises(FootfallError, match="mcp_server_user lacks 111 of the 402 rows that are known"):
        platform.sync()
    assert platform.sync(accept_deletes=True)["mcp_server_user"].deleted == 111
    # a small table may well be empty
    platform.run("DELETE FROM mcp_server_session")
    assert platform.sync()["mcp_server_session"].deleted == 1


@pytest.mark.parametrize(
    ("statements", "says"),
    [
        (["ALTER TABLE mcp_server DROP COLUMN name"], "public.mcp_server has no column for name"),
        (
            [
                "CREATE TABLE telemetry_trace (trace_id text, span_id text, mcp_server_id text, start_time bigint,"
                " created_at bigint)",
                "INSERT INTO telemetry_trace VALUES ('a', 'b', 'c', 1, 1)",
            ],
            "Say which not to read: --without telemetry_trace",
        ),
        (
            [
                "ALTER TABLE mcp_server ENABLE ROW LEVEL SECURITY",
                "GRANT SELECT ON ALL TABLES IN SCHEMA public TO footfall_reader",
            ],
            "would be affected by row-level security policy",
        ),
        (["GRANT SELECT ON organization TO footfall_reader"], "The role may not read"),
    ],
)
def test_what_stands_in_the_way_is_said_and_nothing_is_loaded(
    platform: Platform, statements: list[str], says: str
) -> None:
    for statement in statements:
        platform.run(statement)
    if "footfall_reader" in statements[-1]:
        platform.address = platform.as_reader
    with pytest.raises(FootfallError, match=says):
        platform.sync()
    assert platform.rows("SELECT count() FROM loads") == [(0,)]


def test_a_file_lands_the_same_rows(platform: Platform, tmp_path: Path) -> None:
    platform.sync()
    with psycopg.connect(platform.address) as connection, connection.cursor() as cursor:
        for table in ("mcp_server_user", "mcp_server_session", "mcp_server", "organization", "mcp_tool_calls"):
            with cursor.copy(f"COPY {table} TO STDOUT WITH (FORMAT csv, HEADER)") as copy:  # type: ignore[arg-type]
                (tmp_path / f"{table}.csv").write_bytes(b"".join(bytes(part) for part in copy))
            rows = cursor.execute(f"SELECT row_to_json(r)::text FROM {table} AS r").fetchall()  # type: ignore[arg-type]
            (tmp_path / f"{table}.ndjson").write_text("".join(text + "\n" for (text,) in rows))
    contract = contract_named(platform.warehouse.settings.home, "mcp_obs")
    for path in sorted(tmp_path.iterdir()):
        with exclusive(platform.warehouse, "load"):
            one = load_file(
                platform.warehouse, contract, contract.table(path.stem), path, Options(timezone="America/New_York")
            )
        # the organization's local time is the one that is of another zone than the sync took it for
        changed = 2 if path.name == "organization.csv" else 0
        assert (one.changed, one.deleted, one.events) == (changed, 0, 0), path.name


def test_the_command_tells_and_no_secret_is_anywhere(platform: Platform) -> None:
    environment = environment_of(platform.warehouse, FOOTFALL_SOURCE_MCP_OBS=platform.address)

    def footfall(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cli.main", *arguments], cwd=ROOT, env=environment | variables, capture_output=True,
            text=True, check=False,
        )  # fmt: skip

    checked = footfall("sources", "check", "mcp_obs")
    assert checked.returncode == 0 and "complete" in checked.stdout and "not there, left out" in checked.stdout
    granted = footfall("sources", "grants", "mcp_obs").stdout
    for line in granted.splitlines()[1:]:
        platform.run(line)
    # the role of the grants can do it, and can read nothing else
    reader = platform.as_reader.replace(":reader@", "@")
    done = footfall("sync", "mcp_obs", FOOTFALL_SOURCE_MCP_OBS=reader, FOOTFALL_SOURCE_MCP_OBS_PASSWORD="reader")
    assert done.returncode == 0, done.stderr
    assert "synced     mcp_obs.mcp_tool_calls: 4 rows, 3 new events, 1 rejected" in done.stdout
    with psycopg.connect(reader, password="reader") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT * FROM mcp_server")
    assert "mcp_obs" in footfall("sources", "list").stdout
    assert "mcp_obs, as it was 20" in footfall("status").stdout
    wrong = footfall("sync", "mcp_obs", FOOTFALL_SOURCE_MCP_OBS=reader, FOOTFALL_SOURCE_MCP_OBS_PASSWORD="wrong-one")
    assert wrong.returncode == 1 and "does not answer" in wrong.stderr and "wrong-one" not in wrong.stderr
    away = footfall("sync", "mcp_obs", FOOTFALL_SOURCE_MCP_OBS="postgresql://reader:hidden@127.0.0.1:1/x")
    assert away.returncode == 1 and "does not answer" in away.stderr and "hidden" not in away.stderr
    job = subprocess.run(
        [sys.executable, "-m", "dagster", "job", "execute", "-m", "orchestration.definitions", "-j", "sync_sources"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    platform.run("ALTER TABLE mcp_server DROP COLUMN name")
    broken = subprocess.run(
        [sys.executable, "-m", "dagster", "job", "execute", "-m", "orchestration.definitions", "-j", "sync_sources"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = broken.stdout + broken.stderr
    # no retry, which would take minutes
    assert broken.returncode != 0 and "has no column for name" in told and "STEP_UP_FOR_RETRY" not in told
    assert (
        job.returncode == 0 and "mcp_obs.mcp_tool_calls: 4 rows, 0 new events, 0 rejected." in job.stdout + job.stderr
    )
    assert "Set FOOTFALL_SOURCE_RADIXINSIGHT" in footfall("sync", "radixinsight").stderr
    held = []
    with platform.warehouse.client() as client:
        client.command("SYSTEM FLUSH LOGS")
        columns = client.query(
            "SELECT database, table, name FROM system.columns WHERE position(type, 'String') > 0"
            " AND (database, table) IN (SELECT database, name FROM system.tables WHERE engine LIKE '%MergeTree')"
        ).result_rows
        for database, table, column in columns:
            count = client.query(
                "SELECT countIf(position(toString({column:Identifier}), {word:String}) > 0)"
                " FROM {database:Identifier}.{table:Identifier}",
                parameters={"database": database, "table": table, "column": column, "word": CANARY},
                settings={"log_queries": 0},
            ).first_row[0]
            held += [f"{database}.{table}.{column}"] * bool(count)
    assert held == []


def test_no_contract_reads_a_secret(platform: Platform) -> None:
    for contract in contracts(platform.warehouse.settings.home).values():
        for table in contract.tables.values():
            for name, column in table.columns.items():
                assert not any(SECRET.search(one) for one in (name, *column.spellings))
    own = platform.warehouse.settings.home / "sources" / "mine.yml"
    own.parent.mkdir(exist_ok=True)
    own.write_text("description: d\ntenants: a\ntables: {a: {description: d, names: [a], key: [id], columns: {id: {},"
                   " note: {from: [reset_token]}}}}\n")  # fmt: skip
    with pytest.raises(FootfallError, match="reads as a secret"):
        contracts(platform.warehouse.settings.home)
    own.unlink()


def test_what_a_sync_left_that_broke_off_is_not_read(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(events, "write", broken)
        with pytest.raises(KeyboardInterrupt):
            platform.sync()
    assert platform.rows("SELECT count() > 0 FROM source_rows") == [(True,)]
    done = platform.sync()
    assert (done["mcp_server_user"].changed, done["mcp_tool_calls"].events) == (2, 3)
    assert platform.rows("SELECT count(), uniqExact(load_id) FROM source_rows") == [(7, 1)]
