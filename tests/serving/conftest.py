"""The real service over a real warehouse: two tenants that must never see each other, built once."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from ingest import raw_tables
from ingest.sources.contract import contract_named
from ingest.sources.syncing import Options, load_file
from serving import keys
from tests.cli.conftest import ROOT, environment_of, footfall_of
from tests.conftest import drop
from warehouse.connection import Warehouse
from warehouse.lock import exclusive
from warehouse.ports import free_ports

# What must never be seen outside of the tenant that it is of.
CANARY = "canary-of-the-rival"


@dataclass
class Service:
    """A running service, with a key for each tenant."""

    warehouse: Warehouse
    address: str
    keys: dict[str, str]
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=60, trust_env=False))

    def get(self, pipe: str, tenant: str = "shop", **parameters: Any) -> httpx.Response:
        """An answer of a pipe or `dashboards/NAME` (with its format, or as json), with its tenant's key."""
        name = pipe if "." in pipe else f"{pipe}.json"
        return self.http.get(
            f"{self.address}/v0/{name if '/' in name else f'pipes/{name}'}",
            params={"location_id": tenant, **parameters},
            headers={"Authorization": f"Bearer {self.keys[tenant]}"},
        )

    def data(self, pipe: str, tenant: str = "shop", **parameters: Any) -> list[dict[str, Any]]:
        """The rows of an answer."""
        answer = self.get(pipe, tenant, **parameters)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["data"]
        return rows


class Desk:
    """Posts, and looks at what came of it."""

    def __init__(self, warehouse: Warehouse, address: str, key: str) -> None:
        self.warehouse, self.address, self.key = warehouse, address, key
        self.http = httpx.Client(timeout=60, trust_env=False)

    def post(self, body: Any, path: str = "/v0/events?name=events", **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        given = {"Authorization": f"Bearer {self.key}"} | headers
        return self.http.post(f"{self.address}{path}", content=content, headers=given)

    def kept(self, table: str = "events", folder: str = "landing") -> list[dict[str, Any]]:
        """All rows on disk, those of files that are still open, too."""
        found = (self.warehouse.settings.home / folder / table).glob("*/*posted-*")
        files = sorted(found, key=lambda file: file.name.lstrip("."))
        lines = [line for file in files for line in file.read_bytes().splitlines()]
        return [json.loads(line) for line in lines]  # which reads NaN, too


@contextmanager
def serving(warehouse: Warehouse, tenants: list[str], **variables: str) -> Iterator[Service]:
    """`footfall api` on this warehouse, in a process of its own, for as long as the block lasts."""
    (port,) = free_ports(1)
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "api"],
        cwd=ROOT, env=environment_of(warehouse, FOOTFALL_API_PORT=str(port), **variables),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None, process.communicate()
            try:
                if httpx.get(f"{address}/health", trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield Service(warehouse, address, {tenant: keys.create(warehouse, tenant, "read") for tenant in tenants})
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def event(tenant: str, number: int, name: str, at: str, **values: Any) -> dict[str, Any]:
    """An event as a sender writes it."""
    properties = values.pop("properties", {}) | {name: values.pop(name) for name in list(values) if name[0] == "$"}
    return {
        "uuid": f"{tenant}-{number}", "event": name, "timestamp": f"2026-03-{at}", "tenant_id": tenant,
        "properties": properties, **values,
    }  # fmt: skip


def visit(tenant: str, number: int, at: str, who: str, session: str, url: str, **values: Any) -> dict[str, Any]:
    """A page view."""
    return event(
        tenant, number, "$pageview", at, distinct_id=who, **{"$session_id": session, "$current_url": url}, **values
    )


ROWS = [
    # ann comes by an advertisement, logs in two days later, buys
    visit("shop", 1, "02 10:00:00", "a-1", "s1", "https://shop.example/?utm_source=news&utm_medium=email&gclid=G1",
          **{"$referrer": "https://mail.example/inbox", "$browser": "Firefox", "$device_type": "Mobile"}),
    visit("shop", 2, "02 10:02:00", "a-1", "s1", "https://shop.example/cakes"),
    visit("shop", 3, "04 23:59:59.500", "a-1", "s2", "https://shop.example/cakes?user=ann%40shop.example"),
    event("shop", 4, "$identify", "05 00:00:10", distinct_id="ann@shop.example",
          **{"$anon_distinct_id": "a-1", "$session_id": "s2", "$set": {"email": "ann@shop.example", "plan": "gold"}}),
    event("shop", 5, "purchase", "05 00:01:00", distinct_id="ann@shop.example", revenue=30,
          properties={"$browser": "Firefox", "order": "o-1", "by": "ann@shop.example"}, **{"$session_id": "s2"}),
    visit("shop", 6, "07 09:00:00", "ann@shop.example", "s3", "https://shop.example/?utm_source=ads&utm_medium=cpc",
          **{"$timezone": "Europe/Madrid"}),
    # bob only looks
    visit("shop", 7, "05 12:00:00", "bob", "s4", "https://shop.example/"),
    # the rival has people and sessions of the same ids
    visit("rival", 1, "05 12:00:00", "ann@shop.example", "s1", f"https://rival.example/{CANARY}"),
    event("rival", 2, f"{CANARY} event", "05 12:00:05", distinct_id="ann@shop.example",
          properties={"note": CANARY}, **{"$session_id": "s1", "$set": {"note": CANARY}}),
    visit("rival", 3, "05 13:00:00", CANARY, CANARY, f"https://rival.example/?utm_source={CANARY}"),
]  # fmt: skip


# What databases say of both: servers that nobody has called yet, and what people of a product saved.
SOURCES: dict[str, dict[str, list[dict[str, Any]]]] = {"mcp_obs": {
    "organization": [{"id": "shop", "name": "Shop"}, {"id": "rival", "name": CANARY}],
    "mcp_server": [
        {"id": "1", "slug": "files", "name": "Files", "organization_id": "shop", "created_at": "2026-01-01 00:00:00"},
        {"id": "2", "slug": "secrets", "name": CANARY, "organization_id": "rival"},
    ],
}, "radixinsight": {
    "projects": [{"id": "shop", "name": "Shop"}, {"id": "rival", "name": CANARY}],
    "dashboards": [
        {"id": "d1", "project_id": "shop", "name": "Sales", "layout": [{"w": 2}]},
        {"id": "d2", "project_id": "rival", "name": CANARY},
    ],
    "saved_queries": [
        {"id": name, "project_id": "shop", "name": name, "query_type": kind, "query_params": params}
        for name, kind, params in [
            ("views", "trend", {"metric": "page_views", "interval": "day", "timeRange": {"days": 7}}),
            ("hours", "trend", {"metric": "events", "interval": "hour",
                                "range": {"from": "2026-03-02", "to": "2026-03-02"}}),
            ("channels", "top", {"metric": "sessions", "dimension": "channel"}),
            ("devices", "table", {"metrics": ["users", "revenue"], "dimensions": "device_type",
                                  "filters": {"utm_source": ["news", "' or 1=1 --"]}}),
            ("funnel", "funnel", {"funnel_id": "visitor_to_customer"}),
            ("weeks", "retention", {"retention_id": "weekly", "range": {"from": "2026-03-01", "to": "2026-03-08"}}),
            ("credit", "attribution", {"model": "last"}),
            ("sql", "trend", {"metric": "count() from users --"}),
            ("other tenant", "trend", {"metric": "sessions", "tenant_id": "rival"}),
            ("raw sql", "sql", {"query": "select 1"}),
        ]
    ] + [{"id": "theirs", "project_id": "rival", "name": CANARY, "query_type": "trend",
          "query_params": {"metric": "sessions"}}],
    "visualizations": [
        {"id": f"v-{name}", "dashboard_id": "d1", "query_id": name, "name": name, "visualization_type": kind,
         "position": {"x": 1}}
        for name, kind in [("views", "line"), ("channels", "pie"), ("funnel", "funnel"), ("weeks", "heatmap"),
                           ("devices", "table"), ("sql", "line"), ("theirs", "bar"), ("credit", "sankey")]
    ] + [{"id": "own", "dashboard_id": "d1", "visualization_type": "number",
          "query_params": {"metric": "users", "interval": "month"}}],
}}  # fmt: skip
# The day that counts as today for both.
READ_AT = datetime(2026, 3, 8, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def built(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Both tenants, built and published."""
    drop(server)
    folder: Path = tmp_path_factory.mktemp("served")
    path = folder / "events.ndjson"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in ROWS))
    footfall = footfall_of(server, DAGSTER_HOME=str(folder / "dagster"))
    raw_tables.create(server)
    for name, tables in SOURCES.items():
        contract = contract_named(server.settings.home, name)
        for table, rows in tables.items():
            source = folder / f"{table}.ndjson"
            source.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
            with exclusive(server, "load"):
                load_file(server, contract, contract.table(table), source, Options(read_at=READ_AT))
    for arguments in (("load", "events", str(path)), ("build",)):
        done = footfall(*arguments)
        assert done.returncode == 0, done.stderr
    yield server
    drop(server)


@pytest.fixture(scope="module")
def service(built: Warehouse) -> Iterator[Service]:
    with serving(built, ["shop", "rival"], FOOTFALL_API_RATE="1000/second") as running:
        yield running
