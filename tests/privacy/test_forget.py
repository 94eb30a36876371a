"""A person who is forgotten is nowhere any more, and all tables are as if they had never been."""

import gzip
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from ingest import landing_folder
from privacy import requests, search
from tests.cli.conftest import ROOT, Footfall, environment_of, footfall_of
from tests.conftest import drop
from tests.exactness.builds import Builder, beside
from tests.exactness.stories import File
from tests.serving.conftest import event, visit
from warehouse.connection import Warehouse

CANARIES = ["eve@canary.example", "eve-device-canary", "eve-old-canary", "eve.mail@canary.example"]
EVE, ANONYMOUS, OLD, MAIL = CANARIES
# An id of hers, and of somebody else in another tenant.
SHARED = "desk-7"

OTHERS = [
    visit("shop", 1, "02 10:00:00", "bob", "b1", "https://shop.example/?utm_source=news"),
    event("shop", 2, "purchase", "02 10:05:00", distinct_id="bob", revenue=5, **{"$session_id": "b1"}),
    visit("shop", 3, "03 10:00:00", "amy-device", "a1", "https://shop.example/"),
    event("shop", 4, "$identify", "03 10:01:00", distinct_id="amy",
          **{"$anon_distinct_id": "amy-device", "$session_id": "a1"}),
    # of one event id in two files; one of them is eve's
    event("shop", 5, "click", "04 10:00:00", distinct_id="bob", received_at="2026-03-04 10:00:05"),
    visit("rival", 1, "03 10:00:00", SHARED, "r1", "https://rival.example/"),
]  # fmt: skip
EVES = [
    visit("shop", 11, "02 10:01:00", ANONYMOUS, "e1", "https://shop.example/?utm_source=ads"),
    event("shop", 12, "$identify", "02 10:02:00", distinct_id=EVE,
          **{"$anon_distinct_id": ANONYMOUS, "$session_id": "e1", "$set": {"email": MAIL}}),
    event("shop", 13, "purchase", "03 11:00:00", distinct_id=EVE, revenue=50, **{"$session_id": "e2"}),
    event("shop", 5, "click", "04 10:00:00", distinct_id=EVE, received_at="2026-03-04 10:00:01"),
]  # fmt: skip
MAPPINGS = [
    {"tenant_id": "shop", "anonymous_id": one, "user_id": other, "created_at": "2026-03-01 00:00:00"}
    for one, other in ((OLD, EVE), (SHARED, EVE), ("bob-device", "bob"))
]
REJECTED = [{"event": "", "timestamp": "2026-03-02 10:00:00", "tenant_id": "shop", "distinct_id": EVE}]


def lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def table_of(rows: list[dict[str, Any]]) -> bytes:
    """The same as CSV."""
    return "".join(",".join(row) + "\n" for row in (rows[0].keys(), *(row.values() for row in rows))).encode()


@dataclass
class Forgotten:
    warehouse: Warehouse
    footfall: Footfall
    exported: dict[str, Any]
    said: str
    dagster: Path


@pytest.fixture(scope="module")
def forgotten(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forgotten]:
    """Eve came by several ways, part of it is not built yet, and she is forgotten."""
    drop(server)
    folder: Path = tmp_path_factory.mktemp("privacy")
    footfall = footfall_of(server, DAGSTER_HOME=str(folder / "dagster"))
    landing = server.settings.home / "landing"
    landing_folder.create(server.settings)
    for table, day, name, text in (
        ("events", "2026-03-02", "first.ndjson", lines([*OTHERS[:4], *EVES[:2], *REJECTED, *OTHERS[5:]])),
        ("events", "2026-03-03", "second.ndjson.gz", gzip.compress(lines([EVES[2], OTHERS[4]]))),
        ("identity_mappings", "2026-03-02", "mappings.csv", table_of(MAPPINGS)),
    ):
        (landing / table / day).mkdir(parents=True)
        (landing / table / day / name).write_bytes(text)

    def run(*arguments: str) -> str:
        done = footfall(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("load", "events", str(landing / "events" / "2026-03-02"))
    run("load", "identity-mappings", str(landing / "identity_mappings"))
    run("build")
    run("load", "events", str(landing / "events" / "2026-03-03"))
    run("build")
    for place in (landing / "events" / "2026-03-09", server.settings.home / "quarantine" / "events" / "2026-03-09"):
        place.mkdir(parents=True)
        (place / "posted-1.ndjson").write_bytes(lines([EVES[0], OTHERS[0]]))
    late = landing / "events" / "2026-03-03" / "third.ndjson"
    late.write_bytes(lines([EVES[3]]))
    run("load", "events", str(late))
    exported = json.loads(run("export", "--tenant", "shop", "--user", ANONYMOUS))
    said = run("forget", "--tenant", "shop", "--user", ANONYMOUS)
    yield Forgotten(server, footfall, exported, said, folder / "dagster")
    drop(server)


def test_an_export_holds_all_tables_and_all_that_was_sent(forgotten: Forgotten) -> None:
    exported = forgotten.exported
    assert set(exported["ids"]) == {EVE, ANONYMOUS, OLD, SHARED}
    assert exported["tables"]["users"][0]["user_id"] == EVE
    assert {"events", "sessions", "identities", "user_attribution", "user_days"} <= exported["tables"].keys()
    sent = [json.loads(text) for text in exported["sent"]]
    assert {row.get("uuid") for row in sent} >= {"shop-11", "shop-12", "shop-13"}
    assert not any("bob" in text for text in exported["sent"])


def test_nothing_of_the_person_is_held_anywhere(forgotten: Forgotten) -> None:
    assert "Erased: 4 ids of one person of tenant shop" in forgotten.said
    assert not any(canary in forgotten.said for canary in CANARIES)
    home = forgotten.warehouse.settings.home
    with forgotten.warehouse.client() as client:
        assert list(search.in_tables(client, "raw", "shop", CANARIES)) == []
        # the search finds what is there
        assert list(search.in_tables(client, "raw", "shop", ["amy-device"])) != []
    assert list(search.in_files(home, "shop", CANARIES)) == []
    data = home / "warehouse" / "data"
    whole = [path for path in data.rglob("*.bin") if any(word.encode() in path.read_bytes() for word in CANARIES)]
    assert whole == []


def test_all_tables_are_as_if_they_had_never_been(
    forgotten: Forgotten, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Builder(beside(forgotten.warehouse, "never"), tmp_path_factory.mktemp("never"))
    other.load(File("events", "others.ndjson", OTHERS))
    other.load(File("identity_mappings", "mappings.ndjson", MAPPINGS[2:]))
    other.build(test=False)
    builder = Builder(forgotten.warehouse, tmp_path_factory.mktemp("forgotten"))
    try:
        assert builder.differences(other) == []
    finally:
        drop(other.warehouse)


def test_what_comes_later_brings_nobody_back(forgotten: Forgotten, tmp_path: Path) -> None:
    late = tmp_path / "late.ndjson"
    late.write_bytes(lines([
        visit("shop", 21, "08 10:00:00", OLD, "e9", "https://shop.example/"),
        visit("shop", 22, "08 10:00:00", "cleo", "c1", "https://shop.example/"),
        visit("rival", 23, "08 10:00:00", "cleo", "c1", "https://rival.example/"),
    ]))  # fmt: skip
    loaded = forgotten.footfall("load", "events", str(late))
    assert "2 rows accepted" in loaded.stdout and "1 of people who were erased, not kept" in loaded.stdout
    for table in ("events", "identity_mappings"):
        again = forgotten.footfall(
            "load", table.replace("_", "-"), str(forgotten.warehouse.settings.home / "landing" / table)
        )
        assert again.returncode == 0, again.stderr
    with forgotten.warehouse.client() as client:
        assert list(search.in_tables(client, "raw", "shop", CANARIES)) == []
    late.unlink()


def test_the_next_build_is_no_rebuild_and_there_is_no_way_back(forgotten: Forgotten) -> None:
    assert "no previous version" in forgotten.footfall("rollback").stderr
    planned = forgotten.footfall("build", "--dry-run").stdout
    assert "rebuil" not in planned, planned


def test_what_dbt_makes_of_the_projects_own_examples_is_nobodys(forgotten: Forgotten) -> None:
    home = forgotten.warehouse.settings.home
    places = ["compiled/footfall/models/users.yml/a.sql", "run/footfall/b.sql", "run_results.json", "dbt.log"]
    for place in places:
        path = home / "dbt" / "of_a_test" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("select 'zoe-of-the-examples' as distinct_id")
    found = [Path(one.place).name for one in search.in_files(home, "shop", ["zoe-of-the-examples"])]
    shutil.rmtree(home / "dbt" / "of_a_test")
    assert found == ["dbt.log"]


def test_a_second_time_and_for_nobody(forgotten: Forgotten) -> None:
    again = forgotten.footfall("forget", "--tenant", "shop", "--user", EVE)
    assert again.returncode == 0, again.stderr
    nobody = forgotten.footfall("forget", "--tenant", "shop", "--user", "nobody at all")
    assert (nobody.returncode, "has nobody with this id" in nobody.stderr) == (1, True)
    assert forgotten.footfall("export", "--tenant", "rival", "--user", EVE).returncode == 1


def test_a_job_erases_whoever_was_noted_and_no_record_of_its_run_holds_an_id(forgotten: Forgotten) -> None:
    home = forgotten.warehouse.settings.home
    for name in ("bob", "nobody-at-all"):
        noted = forgotten.footfall("forget", "--tenant", "shop", "--user", name, "--later")
        assert noted.returncode == 0, noted.stderr
    assert "To be forgotten 2, by the same" in " ".join(forgotten.footfall("status").stdout.split())
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "job", "execute", "-m", "orchestration.definitions", "-j", "forget_people"],
        cwd=ROOT, env=environment_of(forgotten.warehouse, DAGSTER_HOME=str(forgotten.dagster)),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert "Erased: 2 ids of one person of tenant shop." in said, said
    # the other request: it fails, and does not stand in the way
    assert done.returncode == 1 and "Tenant shop has nobody with this id." in said
    assert "bob" not in said and "nobody-at-all" not in said
    assert requests.standing(home) == []
    bobs = ["bob", "bob-device", "nobody-at-all"]
    with forgotten.warehouse.client() as client:
        assert list(search.in_tables(client, "raw", "shop", bobs)) == []
    assert list(search.in_files(home, "shop", bobs)) == []
    assert list(search.in_files(forgotten.dagster, "shop", bobs)) == []
    assert list(search.in_files(forgotten.dagster, "shop", ["erase_people"])) != []
