"""No one key makes a build explode: a kiosk, a bot, a test account, one session id for everybody, one huge tenant."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from jinja2 import Template

from benchmarks.generate import write_days
from benchmarks.hot import KINDS, Hot
from ingest.loading import load_paths
from orchestration import hot_keys
from tests.conftest import drop
from tests.exactness.builds import PROJECT, Builder
from warehouse.connection import Warehouse, connect
from warehouse.ports import free_ports

# Of each kind; some quarter of them, or more, have the hot key.
EVENTS_PER_DAY = 6_000
DAYS = 4
# What a statement may take for events with hot keys: so many times what it takes for the same events spread evenly,
# beside what any small statement takes one time and not another.
MOST_TIMES = 2
MEMORY_ALLOWANCE = 60_000_000
CPU_SECONDS_ALLOWANCE = 1.5
# Rows that come out of joins, for each row that was read. A join with all people of a funnel has hundreds; each event
# is compared with each step of its tenant's funnels.
MOST_JOINED_PER_ROW = 20
# Ordered, strict, unordered, and one whose steps are all met by the same events.
FUNNELS = """\
funnel_id,name,step_number,step_name,event,mode
ordered,Ordered,1,view,$pageview,ordered
ordered,Ordered,2,see,product_viewed,ordered
ordered,Ordered,3,buy,order_completed,ordered
strict,Strict,1,view,$pageview,strict
strict,Strict,2,click,$autocapture,strict
unordered,Unordered,1,view,$pageview,unordered
unordered,Unordered,2,see,product_viewed,unordered
same,Same,1,first,$pageview,ordered
same,Same,2,second,$pageview,ordered
same,Same,3,third,$pageview,ordered
"""
COSTS = """
    SELECT
        extract(query, '"node_id": "([^"]+)"') AS node,
        max(memory_usage),
        sum(ProfileEvents['UserTimeMicroseconds'] + ProfileEvents['SystemTimeMicroseconds']) / 1e6,
        sum(read_rows),
        sum(ProfileEvents['JoinResultRowCount'])
    FROM system.query_log
    WHERE type = 'QueryFinish' AND event_time_microseconds >= toDateTime64({began:String}, 6, 'UTC') AND node != ''
    GROUP BY node
"""


@dataclass(frozen=True)
class Cost:
    """What the statements of a model or test took in a build: bytes at most, seconds and rows in sum."""

    memory: int
    cpu_seconds: float
    read_rows: int
    joined_rows: int


@dataclass(frozen=True)
class Builds:
    """What builds of the same events took: spread evenly at once, and with hot keys in two halves."""

    warehouse: Warehouse
    even: dict[str, Cost]
    hot: dict[str, dict[str, Cost]]


@pytest.fixture(scope="module")
def builds(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builds]:
    folder = tmp_path_factory.mktemp("hot")
    http_port, tcp_port, ui_port = free_ports(3)
    settings = server.settings.model_copy(
        update={"home": folder / "home", "http_port": http_port, "tcp_port": tcp_port, "ui_port": ui_port}
    )
    with connect(settings) as warehouse:
        even = _cost(_builder(warehouse, folder), events(folder / "even", heated=False))
        drop(warehouse)
        first, *second = events(folder / "hot", heated=True)
        builder = _builder(warehouse, folder)
        hot = {"first build": _cost(builder, [first]), "next build": _cost(builder, second)}
        yield Builds(warehouse, even, hot)


def events(folder: Path, *, heated: bool) -> list[Path]:
    """Two files, each of half the days and with events of every kind, under tenants of their own."""
    halves = [folder / "1.ndjson", folder / "2.ndjson"]
    kinds: tuple[Hot, ...] = KINDS
    for seed, kind in enumerate(kinds):
        days = write_days(
            folder / kind, events_per_day=EVENTS_PER_DAY, days=DAYS, first_day=date(2026, 1, 1), seed=seed,
            hot=kind if heated else None,
        )  # fmt: skip
        for number, day in enumerate(days):
            with halves[number * 2 // DAYS].open("ab") as out:
                out.write(day.read_bytes().replace(b'"tenant_id":"', f'"tenant_id":"{kind}-'.encode()))
    return halves


def _builder(warehouse: Warehouse, folder: Path) -> Builder:
    builder = Builder(warehouse, folder / "dbt")
    file = folder / "funnels.csv"
    file.write_text(FUNNELS)
    assert [result.status for result in load_paths(warehouse, "funnel_steps", [file])] == ["loaded"]
    return builder


def _cost(builder: Builder, files: list[Path]) -> dict[str, Cost]:
    """Load and build; what each model and test took."""
    assert {result.status for result in load_paths(builder.warehouse, "events", files)} == {"loaded"}
    with builder.warehouse.client() as client:
        began = client.query("SELECT toString(now64(6, 'UTC'))").first_row[0]
        builder.build()
        client.command("SYSTEM FLUSH LOGS query_log")
        return {node: Cost(*cost) for node, *cost in client.query(COSTS, parameters={"began": began}).result_rows}


@pytest.mark.slow
def test_hot_keys_cost_no_more_than_twice_what_the_same_events_cost(builds: Builds) -> None:
    assert len(builds.even) > 80
    exploded = [
        f"{build}, {node}: {cost}, evenly {even}"
        for build, costs in builds.hot.items()
        for node, cost in costs.items()
        if (even := builds.even.get(node, Cost(0, 0, 0, 0)))
        and (
            cost.memory > MOST_TIMES * even.memory + MEMORY_ALLOWANCE
            or cost.cpu_seconds > MOST_TIMES * even.cpu_seconds + CPU_SECONDS_ALLOWANCE
        )
    ]
    assert not exploded, "\n".join(exploded)


@pytest.mark.slow
def test_no_join_runs_through_many_times_what_was_read(builds: Builds) -> None:
    exploded = [
        f"{build}, {node}: {cost}"
        for build, costs in {"evenly": builds.even, **builds.hot}.items()
        for node, cost in costs.items()
        if cost.joined_rows > MOST_JOINED_PER_ROW * cost.read_rows
    ]
    assert not exploded, "\n".join(exploded)


@pytest.mark.slow
def test_hot_keys_are_named(builds: Builds) -> None:
    with builds.warehouse.client(builds.warehouse.settings.database) as client:
        credits, touches = client.query(
            "SELECT count(), max(touches) FROM (SELECT count() AS touches FROM attribution_credit"
            " WHERE user_id = 'user-hot' AND model = 'linear' GROUP BY conversion_event_id)"
        ).first_row
        # in the candidate's database, which holds the previous version by now
        tenant, user, events = client.query(
            "SELECT tenant_id, user_id, events_count FROM {next:Identifier}.users ORDER BY events_count DESC LIMIT 1",
            parameters={"next": builds.warehouse.settings.next_database},
        ).first_row
        hot = client.query(_no_key_is_hot(person_events=4000, person_ids=1000, session_events=1500)).result_rows
    assert credits > 50
    assert touches == 50
    assert {
        ("person-location-1", "person", "user-hot"),
        ("anonymous_ids-location-1", "person", "user-hot"),
        ("session-location-1", "session", "session-hot"),
        ("device-location-1", "device", "device-hot"),
    } <= {(tenant, kind, key) for tenant, kind, key, *_ in hot}
    failures = [
        "sessions: Code: 241. DB::Exception: (total) memory limit exceeded: … (MEMORY_LIMIT_EXCEEDED)",
        "x: Got 1 row",
    ]
    assert hot_keys.behind(builds.warehouse, failures[1:]) == []
    person, session = hot_keys.behind(builds.warehouse, failures)
    assert str(person) == f"person {user!r} of tenant {tenant!r} ({events:,} events)"
    assert str(session).startswith("session id or device 'device-hot' of tenant 'device-location-1' (")
    told, other = hot_keys.explained(failures, [person, session])
    assert told.startswith(
        "sessions: the warehouse has not enough memory for it; of its events most are those of one person of tenant"
        f" {tenant!r} ({events:,} events) and one session id or device of tenant 'device-location-1' ("
    )
    assert user not in told and "device-hot" not in told, "alerts and the build log hold it"
    assert "MEMORY_LIMIT" not in told
    assert other == "x: Got 1 row"


def _no_key_is_hot(**limits: int) -> str:
    """The SQL of the dbt test, with these limits, for all rows of the default database."""
    source = (PROJECT / "tests" / "no_key_is_hot.sql").read_text()
    return Template(source).render(
        config=lambda **_: "",
        ref=lambda model: model,
        var=lambda name: limits[name.removeprefix("hot_")],
        of_this_build=lambda: "1",
    )
