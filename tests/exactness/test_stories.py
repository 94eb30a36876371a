"""Incremental equals rebuilt, and both equal the rules: whatever is loaded in whatever order, built between or not."""

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import drop
from tests.exactness.builds import GONE, PROJECT, Builder, beside
from tests.exactness.changed_projects import EDITS, change, copy_of
from tests.exactness.stories import IDS, START, TENANTS, File, Row, story
from tests.oracle import comparison as oracle
from warehouse import publishing
from warehouse.connection import Warehouse

# A fixed set for every run; `python -m tests.exactness` tells many more.
SEEDS = [2, 38]
CHAPTERS = 3
# Fields on which identity, sessions, attribution and people hang.
MISREAD = ("anonymous_id", "session_id", "utm_source", "revenue", "attributes_set")


@pytest.fixture
def other_warehouse(warehouse: Warehouse) -> Iterator[Warehouse]:
    other = beside(warehouse, "reordered")
    yield other
    drop(other)


def tell(seed: int, chapters: int, builder: Builder, reordered: Builder) -> None:
    """Tell a story; after each build compare with the rules and with a full rebuild, in the end with one load of all in
    another order, to which whoever was erased was never known. What the first files say of these fields is not
    understood until the second chapter; from then on somebody is erased before each build.
    """
    rng = random.Random(seed)
    for number, chapter in enumerate(story(seed, chapters), start=1):
        if number == 1:
            with builder.misreading(MISREAD):
                for file in chapter.files:
                    builder.load(file)
                builder.build(test=False)
            assert builder.read_again() > 0
        else:
            for file in chapter.files:
                builder.load(file)
        for name in chapter.withdrawn:
            builder.withdraw(name)
        if chapter.is_built:
            if number > 1:
                builder.erase(rng.choice(TENANTS), rng.choice(IDS))
            builder.forget_erased()
            builder.build()
            builder.purge()
            assert oracle.differences(builder) == [], f"seed {seed}, chapter {number}, by the rules"
            builder.build(full_refresh=True, publish=False, test=False)
            assert builder.differences() == [], f"seed {seed}, chapter {number}"
    for file in in_one_file_each(list(builder.standing.values()), seed):
        reordered.load(file)
    reordered.build(full_refresh=True)
    assert builder.differences(reordered) == [], f"seed {seed}, all at once in another order"


def in_one_file_each(files: list[File], seed: int) -> list[File]:
    """The rows of all files, shuffled, as one file a table; versions of an event stay in the order of their loads."""
    tables: dict[str, list[File]] = {}
    for file in files:
        tables.setdefault(file.table, []).append(file)
    merged = []
    for table, of_table in sorted(tables.items()):
        rows = [row for file in of_table for row in file.rows if row != GONE]
        merged.append(File(table, f"{table}-all.ndjson", _shuffled(rows, random.Random(seed))))
    return merged


def _shuffled(rows: list[Row], rng: random.Random) -> list[Row]:
    """The rows in another order, those of one event id in the same: of versions that do not say when they were received
    the last one is the event.
    """
    order = list(range(len(rows)))
    rng.shuffle(order)
    places: dict[str, list[int]] = {}
    for place, index in enumerate(order):
        if event_id := rows[index].get("event_id"):
            places.setdefault(event_id, []).append(place)
    for of_event in places.values():
        for place, index in zip(of_event, sorted(order[place] for place in of_event), strict=True):
            order[place] = index
    return [rows[index] for index in order]


@pytest.mark.slow
@pytest.mark.timeout(540)
@pytest.mark.parametrize("seed", SEEDS)
def test_every_build_equals_a_full_rebuild_and_any_other_order(
    seed: int, warehouse: Warehouse, other_warehouse: Warehouse, tmp_path: Path
) -> None:
    tell(seed, CHAPTERS, Builder(warehouse, tmp_path / "files"), Builder(other_warehouse, tmp_path / "reordered"))


def tell_of_changes(seed: int, chapters: int, builder: Builder, project: Path) -> None:
    """The project changes, with new files or without; builds fail, versions are rolled back, tables are dropped,
    days are cut.

    `project` is a copy that is changed; the builds of `builder` use it. After each chapter the tables are compared with
    a full rebuild by the project as it is then.
    """
    builder.project = project
    rng = random.Random(seed)
    first, *others = story(seed, chapters + 1)
    for file in first.files:
        builder.load(file)
    builder.build()
    for number, chapter in enumerate(others, start=1):
        is_loaded = rng.random() < 0.7
        changes = change(project, rng)
        if number % 2:
            builder.build(publish=False)  # as if a check had failed
            changes += [*change(project, rng), f"{drop_by_hand(builder, rng)} dropped"]
        if is_loaded:
            for file in chapter.files:
                builder.load(file)
            for name in chapter.withdrawn:
                if name in builder.standing:
                    builder.withdraw(name)
        builder.build()
        if number % 2:
            cut_something(builder, rng)
        else:
            publishing.rollback(builder.warehouse)
            builder.build()
        builder.build(full_refresh=True, publish=False, test=False)
        assert builder.differences() == [], (
            f"seed {seed}, chapter {number}: {changes}, {'files' if is_loaded else 'no file'}"
        )


def cut_something(builder: Builder, rng: random.Random) -> None:
    """Cut a tenant's first days, now and then with the figures that stay of them, and build without them."""
    before = START.date() + timedelta(days=rng.randint(1, 4))
    builder.cut(rng.choice(TENANTS), rng.choice(["events", "events", "daily"]), before)
    builder.build()
    builder.purge()
    publishing.forget_previous_version(builder.warehouse)


def drop_by_hand(builder: Builder, rng: random.Random) -> str:
    """Drop some published table and say which."""
    database = builder.warehouse.settings.database
    with builder.warehouse.client(database) as client:
        rows = client.query(
            "SELECT name FROM system.tables WHERE database = {db:String} AND engine = 'MergeTree' AND"
            " name != 'int_build_range' ORDER BY name",
            parameters={"db": database},
        ).result_rows
        (name,) = rng.choice(rows)
        client.command("DROP TABLE {name:Identifier} SYNC", parameters={"name": name})
    return str(name)


@pytest.mark.slow
@pytest.mark.timeout(540)
def test_after_a_change_of_the_project_every_build_equals_a_full_rebuild(warehouse: Warehouse, tmp_path: Path) -> None:
    builder = Builder(warehouse, tmp_path / "files")
    tell_of_changes(SEEDS[0], 2, builder, copy_of(PROJECT, tmp_path / "project"))


def test_every_edit_of_a_story_can_be_done_and_undone(tmp_path: Path) -> None:
    project = copy_of(PROJECT, tmp_path / "project")
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    for edit in EDITS:
        edit.toggle(project)
        assert {path: path.read_bytes() for path in before} != before, edit
        edit.toggle(project)
        assert {path: path.read_bytes() for path in before} == before, edit
