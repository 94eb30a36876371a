"""A disk that is full at a statement of a build: people read the previous version, and a retry succeeds."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestration import build_log
from tests.cli.conftest import footfall_of
from tests.orchestration.conftest import TINY, commit_load, published_people, variables_of
from warehouse.connection import Warehouse

INCREMENTAL = """
{{ config(materialized='incremental', incremental_strategy='append', engine='MergeTree()', order_by='user_id') }}
select * from (MODEL) {% if is_incremental() %} where user_id not in (select user_id from {{ this }}) {% endif %}
"""


@contextmanager
def full_disk(warehouse: Warehouse, database: str, table: str) -> Iterator[None]:
    """As if the disk were full for one table: an insert that finds less free space than asked for fails like one that
    finds none. A clone of the table takes this over.
    """

    def ask_for(free_bytes: int) -> None:
        with warehouse.client(database) as client:
            client.command(
                f"ALTER TABLE {{name:Identifier}} MODIFY SETTING min_free_disk_bytes_to_perform_insert = {free_bytes}",
                parameters={"name": table},
            )

    ask_for(10**18)
    try:
        yield
    finally:
        ask_for(0)


@pytest.mark.slow
def test_a_build_on_a_full_disk(warehouse: Warehouse, tmp_path: Path) -> None:
    project = Path(shutil.copytree(TINY, tmp_path / "project"))
    people = project / "models" / "people.sql"
    people.write_text(INCREMENTAL.replace("MODEL", people.read_text()))
    footfall = footfall_of(warehouse, **variables_of(project))
    commit_load(warehouse, 1, "ada")
    assert footfall("build").returncode == 0
    commit_load(warehouse, 2, "ben")

    settings = warehouse.settings
    # a model, the build log, the journal of the swap
    for database, table in (
        (settings.database, "people"),
        (settings.database, "build_log"),
        (settings.raw_database, "publish_journal"),
    ):
        with full_disk(warehouse, database, table):
            result = footfall("build")
            assert result.returncode == 1
            assert "disk" in result.stderr and "Traceback" not in result.stderr, (table, result.stderr)
            assert published_people(warehouse) == ["ada"]

    again = footfall("build")
    assert again.returncode == 0, again.stderr
    assert published_people(warehouse) == ["ada", "ben"]
    assert build_log.builds(warehouse)[0].status == "published"
