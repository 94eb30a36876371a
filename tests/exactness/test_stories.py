"""Incremental equals rebuilt: whatever is loaded in whatever order, built in between or not."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import drop
from tests.exactness.builds import Builder, beside
from tests.exactness.stories import File, story
from warehouse.connection import Warehouse

# A fixed set for every run; `python -m tests.exactness` tells many more.
SEEDS = [2, 38]
CHAPTERS = 3


@pytest.fixture
def other_warehouse(warehouse: Warehouse) -> Iterator[Warehouse]:
    other = beside(warehouse, "reordered")
    yield other
    drop(other)


def tell(seed: int, chapters: int, builder: Builder, reordered: Builder) -> None:
    """Tell a story; after each build compare with a full rebuild, in the end with one load of all in another order."""
    for number, chapter in enumerate(story(seed, chapters), start=1):
        for file in chapter.files:
            builder.load(file)
        for name in chapter.withdrawn:
            builder.withdraw(name)
        if chapter.is_built:
            builder.build()
            builder.build(full_refresh=True, publish=False)
            assert builder.differences() == [], f"seed {seed}, chapter {number}"
    for file in in_one_file_each(list(builder.standing.values()), seed):
        reordered.load(file)
    reordered.build(full_refresh=True)
    assert builder.differences(reordered) == [], f"seed {seed}, all at once in another order"


def in_one_file_each(files: list[File], seed: int) -> list[File]:
    """The rows of all files, shuffled, as one file a table."""
    tables: dict[str, list[File]] = {}
    for file in files:
        tables.setdefault(file.table, []).append(file)
    merged = []
    for table, of_table in sorted(tables.items()):
        rows = [row for file in of_table for row in file.rows]
        random.Random(seed).shuffle(rows)
        merged.append(File(table, f"{table}-all.ndjson", rows))
    return merged


@pytest.mark.slow
@pytest.mark.timeout(540)
@pytest.mark.parametrize("seed", SEEDS)
def test_every_build_equals_a_full_rebuild_and_any_other_order(
    seed: int, warehouse: Warehouse, other_warehouse: Warehouse, tmp_path: Path
) -> None:
    tell(seed, CHAPTERS, Builder(warehouse, tmp_path / "files"), Builder(other_warehouse, tmp_path / "reordered"))
