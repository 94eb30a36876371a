"""`footfall why`, `footfall merge` and `footfall unmerge`, against what the real project makes of the same rows."""

import random
from collections.abc import Iterator
from datetime import datetime
from itertools import combinations

import pytest

from cli.identity_graph import People, read
from cli.identity_statements import statements
from cli.merge import run_statement
from tests.cli.conftest import Footfall, environment_of, footfall_of
from tests.exactness.builds import Builder
from tests.exactness.stories import IDS, File, Row, event, mapping
from warehouse.connection import Warehouse

pytestmark = [pytest.mark.slow, pytest.mark.timeout(540)]

# The example of docs/semantics.md, and then links that join nobody.
_EXAMPLE: list[Row] = [
    {"event": "page", "distinct_id": "tablet-1", "timestamp": "2026-03-01 09:00:00"},
    {"event": "$identify", "distinct_id": "ana", "anonymous_id": "tablet-1", "timestamp": "2026-03-01 09:05:00"},
    {"event": "page", "distinct_id": "phone-7", "timestamp": "2026-03-01 09:30:00"},
    {"event": "$identify", "distinct_id": "ana", "anonymous_id": "phone-7", "timestamp": "2026-03-01 10:00:00"},
    {"event": "$identify", "distinct_id": "ben", "anonymous_id": "tablet-1", "timestamp": "2026-03-01 11:00:00"},
    {"event": "$create_alias", "distinct_id": "ana", "alias": "ana@old", "timestamp": "2026-03-01 12:00:00"},
    {"event": "$identify", "distinct_id": "ana", "anonymous_id": "Guest", "timestamp": "2026-03-01 13:00:00"},
    {"event": "$identify", "distinct_id": "dora", "anonymous_id": "ben", "timestamp": "2026-03-01 14:00:00"},
]


def _example() -> list[Row]:
    rows = []
    for number, row in enumerate(_EXAMPLE):
        of_properties = {"anonymous_id": "$anon_distinct_id", "alias": "alias"}
        properties = {of_properties[name]: value for name, value in row.items() if name in of_properties}
        plain = {name: value for name, value in row.items() if name not in of_properties}
        rows.append({"tenant_id": "acme", "event_id": f"e{number}", "properties": properties, **plain})
    return rows


@pytest.fixture(scope="module")
def builder(shared_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """A published warehouse: the example, and random events and mappings of a bakery and a library."""
    rng = random.Random(10)
    built = Builder(shared_warehouse, tmp_path_factory.mktemp("files"))
    built.load(File("events", "events.ndjson", [event(rng) for _ in range(90)]))
    built.load(File("identity_mappings", "mappings.ndjson", [mapping(rng) for _ in range(12)]))
    built.load(File("events", "example.ndjson", _example()))
    built.build()
    return built


@pytest.fixture(scope="module")
def footfall(builder: Builder) -> Footfall:
    return footfall_of(builder.warehouse)


@pytest.fixture
def here(builder: Builder, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands that are called in this process work on the warehouse of the module."""
    for name, value in environment_of(builder.warehouse).items():
        monkeypatch.setenv(name, value)
    return


def _user_of(warehouse: Warehouse, tenant: str) -> dict[str, str]:
    with warehouse.client(warehouse.settings.database) as client:
        return dict(
            client.query(
                "SELECT distinct_id, user_id FROM identities WHERE tenant_id = {tenant:String}",
                parameters={"tenant": tenant},
            ).result_rows
        )


def _people(warehouse: Warehouse, tenant: str, *ids: str) -> People:
    with warehouse.client(warehouse.settings.database) as client:
        return read(client, tenant, ids).people()


@pytest.mark.parametrize("tenant", ["bakery", "library", "acme"])
def test_around_an_id_the_rules_give_what_the_tables_have(builder: Builder, tenant: str) -> None:
    published = _user_of(builder.warehouse, tenant)
    assert published
    for distinct_id, user_id in published.items():
        people = _people(builder.warehouse, tenant, distinct_id)
        assert {each: published[each] for each in people.user_of} == people.user_of
        # a chain of links leads from every id to its person's name
        assert bool(people.way(distinct_id, user_id)) == (distinct_id != user_id)


def test_why_tells_the_chain_its_sources_and_what_was_refused(footfall: Footfall, builder: Builder) -> None:
    result = footfall("why", "--tenant", "acme", "tablet-1")
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "tablet-1 is ana in tenant acme (named so: the identified id that appeared first)."
    assert lines[1] == "4 ids of this person: ana, ana@old, phone-7, tablet-1."
    (step,) = [line for line in lines if line.startswith("1 ")]
    assert step.split("  ")[1:3] == ["tablet-1 -> ana", "the earliest link"]
    assert f"event e1 ($identify), {builder.folder / 'example.ndjson'} line 2" in step
    (refused,) = [line for line in lines if line.startswith("tablet-1 -> ben")]
    assert "an earlier link or a merge takes precedence: tablet-1 belongs to ana" in refused
    assert "2026-03-01 11:00:00" in refused


def test_why_tells_that_an_event_joins_no_identified_id_to_another(footfall: Footfall) -> None:
    for each in ("ben", "dora"):
        result = footfall("why", "--tenant", "acme", each)
        assert result.stdout.startswith(f"{each} is {each} in tenant acme")
        (refused,) = [line for line in result.stdout.splitlines() if line.startswith("ben -> dora")]
        assert "an event joins no identified id to another, and ben is one" in refused
        assert "2026-03-01 14:00:00" in refused


def test_why_of_the_name_tells_all_that_joins_it(footfall: Footfall) -> None:
    result = footfall("why", "--tenant", "acme", "ana")
    assert "What makes the other ids ana:" in result.stdout
    for link in ("tablet-1 -> ana", "phone-7 -> ana", "ana@old -> ana"):
        assert link in result.stdout
    # an id that means nobody is none: nothing was said of ana and it
    assert "Guest" not in result.stdout


def test_an_id_that_nobody_knows_is_a_request_that_makes_no_sense(footfall: Footfall) -> None:
    for arguments in (
        ("why", "--tenant", "acme", "carla"),
        ("merge", "--tenant", "acme", "ana", "carla"),
        ("merge", "--tenant", "acme", "ana", "Guest"),
        ("merge", "--tenant", "acme", "ana", "ana"),
        ("unmerge", "--tenant", "acme", "ana", "ben"),
    ):
        result = footfall(*arguments)
        assert result.returncode == 2, arguments
        assert result.stderr.startswith("Error: "), arguments


def test_a_chain_is_taken_apart_where_it_was_joined(footfall: Footfall) -> None:
    result = footfall("unmerge", "--tenant", "acme", "phone-7", "ana@old")
    assert result.returncode == 2
    assert "one person by way of phone-7 -> ana, ana@old -> ana" in result.stderr


def test_a_dry_run_says_what_would_change_and_changes_nothing(footfall: Footfall) -> None:
    loads = footfall("loads").stdout
    merge = footfall("merge", "--tenant", "acme", "ben", "ana", "--dry-run")
    assert merge.stdout.splitlines() == [
        "2 people become 1: ana (5 ids).",
        "1 id under another person, and with that 1 session on 1 day (1 event).",
    ]
    unmerge = footfall("unmerge", "--tenant", "acme", "ana", "tablet-1", "--dry-run")
    assert unmerge.stdout.splitlines() == [
        "2 people change: ana (3 ids); ben (2 ids).",
        "1 id under another person, and with that 1 session on 1 day (1 event).",
    ]
    assert footfall("loads").stdout == loads


def test_an_unmerge_gives_the_tables_of_a_warehouse_without_the_merge(builder: Builder, here: None) -> None:
    warehouse = builder.warehouse
    before = _fingerprints(warehouse)
    pairs = [(tenant, *pair) for tenant in ("bakery", "library") for pair in _strangers(warehouse, tenant)]
    for tenant, one, other in pairs:
        run_statement("merge", tenant, one, other, dry_run=False)
    # and what was said of two ids by an event is taken back, for good: the next event of the kind does not count
    run_statement("unmerge", "acme", "ana", "tablet-1", dry_run=False)
    again = {**_example()[1], "event_id": "e9", "timestamp": "2026-03-02 09:00:00"}
    builder.load(File("events", "again.ndjson", [again]))
    builder.build()
    for tenant, one, other in pairs:
        user_of = _user_of(warehouse, tenant)
        assert user_of[one] == user_of[other], (tenant, one, other)
    assert _user_of(warehouse, "acme")["tablet-1"] == "ben"
    assert _fingerprints(warehouse) != before

    for tenant, one, other in pairs:
        run_statement("unmerge", tenant, other, one, dry_run=False)
    run_statement("merge", "acme", "tablet-1", "ana", dry_run=False)
    builder.build()
    assert _fingerprints(warehouse) == before
    assert _user_of(warehouse, "acme")["tablet-1"] == "ana"
    builder.build(full_refresh=True, publish=False, test=False)
    assert builder.differences() == []


def _strangers(warehouse: Warehouse, tenant: str) -> list[tuple[str, str]]:
    """Some pairs of ids of which nothing was said: what a merge of them changes, its un-merge changes back."""
    known = sorted(_user_of(warehouse, tenant).keys() & set(IDS) - {"null", "Guest"})
    said = [
        {each.pair for each in statements(warehouse, tenant, [(one, other), (other, one)], "", 2**63)}
        for one, other in combinations(known, 2)
    ]
    pairs = [pair for pair, of_pair in zip(combinations(known, 2), said, strict=True) if not of_pair]
    assert len(pairs) > 2
    return random.Random(4).sample(pairs, k=3)


def _fingerprints(warehouse: Warehouse) -> dict[str, tuple[int, int]]:
    """What every published table says of the bakery and the library, as a number."""
    database = warehouse.settings.database
    with warehouse.client(database) as client:
        tables: dict[str, list[str]] = {}
        for table, column in client.query(
            "SELECT table, name FROM system.columns WHERE database = {db:String} AND NOT startsWith(name, '_')"
            " ORDER BY table, position",
            parameters={"db": database},
        ).result_rows:
            tables.setdefault(table, []).append(column)
        return {
            table: client.query(
                f"SELECT count(), sum(cityHash64(toString(tuple({', '.join(columns)})))) FROM {table}"
                " WHERE tenant_id IN ('bakery', 'library')"
            ).first_row
            for table, columns in tables.items()
            if "tenant_id" in columns
        }


def test_the_words_of_commands_are_told_apart_from_files(footfall: Footfall, builder: Builder) -> None:
    result = footfall("why", "--tenant", "acme", "tablet-1")
    assert "footfall merge --tenant acme ana tablet-1" in result.stdout
    assert datetime.now().strftime("%Y-") in result.stdout
