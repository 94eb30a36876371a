"""What is older than its tenant keeps it is nowhere any more, and what is to stay of it stays."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from ingest import landing_folder
from privacy import search
from tests.cli.conftest import ROOT, Footfall, environment_of, footfall_of
from tests.conftest import drop
from tests.exactness.builds import Builder
from tests.serving.conftest import event, visit
from warehouse.connection import Warehouse

# Was there before the cut, and never again.
GONE = "gus@canary.example"


def identified(number: int, at: str, anonymous: str, user: str) -> dict[str, Any]:
    return event("shop", number, "$identify", at, distinct_id=user,
                 **{"$anon_distinct_id": anonymous, "$session_id": f"s{number}"})  # fmt: skip


EVENTS = [
    # days that go
    visit("shop", 1, "02 10:00:00", "ann-device", "s1", "https://shop.example/?utm_source=news"),
    identified(2, "02 10:05:00", "ann-device", "ann"),
    # an identified id on the anonymous side: the event joins nobody, and nor may what is kept of it
    identified(3, "02 11:00:00", "ann", "bea"),
    identified(4, "02 12:00:00", "gus-device", GONE),
    event("shop", 5, "purchase", "03 10:00:00", distinct_id="bea", revenue=5, **{"$session_id": "s5"}),
    visit("rival", 1, "02 10:00:00", "ann-device", "r1", "https://rival.example/"),
    # days that stay
    visit("shop", 6, "10 10:00:00", "ann-device", "s6", "https://shop.example/"),
    event("shop", 7, "purchase", "10 11:00:00", distinct_id="ann", revenue=50, **{"$session_id": "s7"}),
    visit("shop", 8, "10 12:00:00", "bea", "s8", "https://shop.example/"),
]
REJECTED = {"event": "", "timestamp": "2026-03-02 10:00:00", "tenant_id": "shop", "distinct_id": GONE}


def lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


@dataclass
class Kept:
    warehouse: Warehouse
    footfall: Footfall
    would_go: str
    said: str
    before: dict[str, list[Any]]
    dagster: Path

    def rows(self, sql: str) -> list[Any]:
        with self.warehouse.client(self.warehouse.settings.database) as client:
            return list(client.query(sql).result_rows)


_OF_SHOP = "where date < '2026-03-09' and tenant_id = 'shop' order by all"
_DAYS = f"select * except (_build_seq) from session_stats_daily {_OF_SHOP}"
_HOURS = f"select * except (_build_seq) from events_hourly {_OF_SHOP}"
_NEW = "select new_users_count from session_stats_daily where tenant_id = 'shop' and date = '2026-03-10'"
_PEOPLE = "select distinct_id, user_id from identities where tenant_id = 'shop' order by distinct_id"


@pytest.fixture(scope="module")
def kept(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """The shop keeps events for 30 days; on the eighth of April, March before the ninth goes."""
    drop(server)
    folder: Path = tmp_path_factory.mktemp("retention")
    footfall = footfall_of(server, DAGSTER_HOME=str(folder / "dagster"))
    landing_folder.create(server.settings)
    landing = server.settings.home / "landing" / "events" / "2026-03-10"
    landing.mkdir(parents=True)
    (landing / "of-shop.ndjson").write_bytes(lines([*EVENTS, REJECTED]))

    def run(*arguments: str) -> str:
        done = footfall(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("load", "events", str(landing))
    run("retention-policies", "set", "--tenant", "shop", "--keep-days", "30")
    apply = ("retention-policies", "apply", "--as-of", "2026-04-08")
    run("build")
    of = Kept(server, footfall, run(*apply, "--dry-run"), "", {}, folder / "dagster")
    before = {sql: of.rows(sql) for sql in (_DAYS, _HOURS, _NEW, _PEOPLE)}
    said = run(*apply)
    yield Kept(server, footfall, of.would_go, said, before, folder / "dagster")
    drop(server)


def test_it_is_said_what_goes(kept: Kept) -> None:
    line = "events of tenant shop before 2026-03-09, from 2026-03-02 on: 5 rows"
    assert f"would go   {line}" in kept.would_go
    assert f"cut        {line}" in kept.said


def test_events_are_gone_from_tables_lines_and_landing_files(kept: Kept) -> None:
    assert kept.rows("select tenant_id, event_id from events order by all") == [
        ("rival", "rival-1"), ("shop", "shop-6"), ("shop", "shop-7"), ("shop", "shop-8"),
    ]  # fmt: skip
    raw = kept.warehouse.settings.raw_database
    assert kept.rows(f"select count() from {raw}.events") == [(4,)]
    assert kept.rows(f"select count() from {raw}.lines where text like '%2026-03-02%' and text not like '%rival%'") == [
        (1,)  # the rejected row, which is nobody's: it goes with what all tenants keep
    ]
    landed = kept.warehouse.settings.home / "landing" / "events" / "2026-03-10" / "of-shop.ndjson"
    rows = [json.loads(line) for line in landed.read_bytes().splitlines() if line]
    assert len(rows) == 5 and len(landed.read_bytes().splitlines()) == 10


def test_daily_figures_stay(kept: Kept) -> None:
    # Of the days that are left one figure follows from what is left: who is there for the first time.
    for sql in (_DAYS, _HOURS):
        assert kept.rows(sql) == kept.before[sql] != []
    assert kept.before[_NEW] == [(0,)] and kept.rows(_NEW) == [(2,)]


def test_people_who_are_there_still_are_the_same_and_the_others_are_gone(kept: Kept) -> None:
    assert (GONE, GONE) in kept.before[_PEOPLE]
    assert kept.rows(_PEOPLE) == [row for row in kept.before[_PEOPLE] if row[1] != GONE]
    with kept.warehouse.client() as client:
        held = [one.place for one in search.in_tables(client, kept.warehouse.settings.raw_database, "shop", [GONE])]
    assert {place.rpartition(".")[0].partition(".")[2] for place in held} <= {"lines", "rejected_rows", "query_log"}


def test_the_tables_are_those_of_a_rebuild(kept: Kept, tmp_path: Path) -> None:
    builder = Builder(kept.warehouse, tmp_path)
    builder.build(full_refresh=True, publish=False)
    assert builder.differences() == []


def test_what_comes_late_is_counted_and_not_kept(kept: Kept, tmp_path: Path) -> None:
    late = tmp_path / "late.ndjson"
    late.write_bytes(lines([EVENTS[0], visit("shop", 9, "11 10:00:00", "ann", "s9", "https://shop.example/")]))
    loaded = kept.footfall("load", "events", str(late))
    assert "1 rows accepted" in loaded.stdout and "1 older than what is kept, dropped" in loaded.stdout
    again = kept.footfall("retention-policies", "apply", "--as-of", "2026-04-08", "--dry-run")
    assert "Nothing is older than it is kept." in again.stdout, again.stderr
    cut = kept.rows(f"select load_seq from {kept.warehouse.settings.raw_database}.loads where table = 'cuts'")[0][0]
    refused = kept.footfall("unload", str(cut))
    assert "what it took is gone" in refused.stdout


def test_daily_figures_go_by_a_policy_of_their_own_and_a_job_does_it(kept: Kept, tmp_path: Path) -> None:
    for arguments in (("set", "--what", "daily", "--keep-days", "40"), ("set", "--keep-days", "60")):
        assert kept.footfall("retention-policies", *arguments).returncode == 0
    listed = kept.footfall("retention-policies", "list").stdout
    assert "(all others)" in listed and "60 days" in listed and "30 days" in listed
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "job", "execute", "-m", "orchestration.definitions",
         "-j", "apply_retention_policies"],
        cwd=ROOT, env=environment_of(kept.warehouse, DAGSTER_HOME=str(kept.dagster)),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "Cut: daily figures of tenant shop" in said and "Cut: events of tenant rival" in said
    # figures of days that are older than both policies are nowhere; those that stay by the latest cut do
    assert kept.rows("select distinct tenant_id from session_stats_daily order by all") == []
    raw = kept.warehouse.settings.raw_database
    assert kept.rows(f"select count() from {raw}.events") == [(0,)]
    builder = Builder(kept.warehouse, tmp_path)
    builder.build(full_refresh=True, publish=False)
    assert builder.differences() == []


def test_a_policy_is_removed_and_an_unknown_one_is_named(kept: Kept) -> None:
    assert kept.footfall("retention-policies", "remove", "--what", "daily").returncode == 0
    again = kept.footfall("retention-policies", "remove", "--what", "daily")
    assert again.returncode == 1 and "There is no policy on daily of all tenants" in again.stderr
