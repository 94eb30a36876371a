"""Write, audit, publish: what people read is the old version or the new one, whatever dies on the way."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_connect.driver.httpclient import HttpClient

from warehouse import publishing
from warehouse.connection import Warehouse
from warehouse.errors import FootfallError


class House:
    """A warehouse whose versions are easy to tell apart: every row of version n says n."""

    def __init__(self, warehouse: Warehouse, client: Client) -> None:
        self.warehouse = warehouse
        self.client = client
        self.published = warehouse.settings.database
        self.next = warehouse.settings.next_database

    def do(self, statement: str) -> None:
        self.client.command(statement.replace("$next", self.next).replace("$published", self.published))

    def rows(self, query: str) -> list[Any]:
        return list(
            self.client.query(query.replace("$next", self.next).replace("$published", self.published)).result_rows
        )

    def names(self, database: str) -> set[str]:
        return {name for (name,) in self.rows(f"SELECT name FROM system.tables WHERE database = '{database}'")}

    def build(self, version: int, *names: str) -> None:
        """What dbt does in the candidate: tables are made anew, by whatever name is asked for."""
        for name in names:
            self.do(
                f"CREATE OR REPLACE TABLE $next.{name} ENGINE = MergeTree ORDER BY id"
                f" AS SELECT number AS id, {version} AS version FROM numbers(100)"
            )

    def versions(self, *names: str) -> list[int]:
        return [self.rows(f"SELECT any(version) FROM $published.{name} HAVING count() = 100")[0][0] for name in names]

    def publish(self, version: int, *names: str, full_refresh: bool = True) -> None:
        publishing.prepare(self.warehouse, full_refresh=full_refresh)
        self.build(version, *names)
        publishing.publish(self.warehouse)


@pytest.fixture
def house(warehouse: Warehouse) -> Iterator[House]:
    with warehouse.client() as client:
        yield House(warehouse, client)


def test_a_candidate_begins_as_clones_that_can_be_changed_without_touching_what_people_read(house: House) -> None:
    house.publish(1, "sessions", "users")
    publishing.prepare(house.warehouse)
    assert house.rows("SELECT count() FROM $next.sessions") == [(100,)]
    house.do("DELETE FROM $next.sessions WHERE id < 50")
    house.do("INSERT INTO $next.users SELECT 1000, 2")
    assert house.rows("SELECT count() FROM $published.sessions") == [(100,)]
    publishing.publish(house.warehouse)
    assert house.rows("SELECT count() FROM $published.sessions") == [(50,)]
    assert house.rows("SELECT count() FROM $published.users") == [(101,)]


@pytest.mark.parametrize("mode", ["alter_update", "lightweight_update_force"])
def test_deleted_rows_stay_deleted_from_build_to_build(house: House, mode: str) -> None:
    publishing.prepare(house.warehouse, full_refresh=True)
    house.do(
        "CREATE TABLE $next.sessions (id UInt64, day Date) ENGINE = MergeTree PARTITION BY toYYYYMM(day) ORDER BY id"
        " SETTINGS enable_block_number_column = 1, enable_block_offset_column = 1"
    )
    house.do("INSERT INTO $next.sessions SELECT number, toDate('2026-01-01') + number % 90 FROM numbers(1000)")
    publishing.publish(house.warehouse)
    left = 1000
    for build in range(3):
        publishing.prepare(house.warehouse)
        assert house.rows("SELECT count() FROM $next.sessions") == [(left,)]
        house.do(f"DELETE FROM $next.sessions WHERE id % 10 = {build} SETTINGS lightweight_delete_mode = '{mode}'")
        house.do(f"INSERT INTO $next.sessions SELECT {build}, '2026-01-01'")  # one comes back, recomputed
        assert house.rows("SELECT count() FROM $published.sessions") == [(left,)]
        publishing.publish(house.warehouse)
        left -= 99
        assert house.rows("SELECT count(), uniqExact(id) FROM $published.sessions") == [(left, left)]
    publishing.rollback(house.warehouse)
    assert house.rows("SELECT count() FROM $published.sessions") == [(left + 99,)]


def test_staging_views_and_the_change_feed_stay_beside(house: House) -> None:
    publishing.prepare(house.warehouse, full_refresh=True)
    house.build(1, "users", "changed_users", "users__dbt_tmp")
    house.do("CREATE VIEW $next.stg_events AS SELECT 1 AS id")
    publishing.publish(house.warehouse)
    assert house.names(house.published) == {"users"}


def test_what_footfall_has_not_published_is_never_touched(house: House) -> None:
    house.publish(1, "users")
    house.do("CREATE TABLE $published.build_log (id UInt64) ENGINE = MergeTree ORDER BY id")
    house.do("CREATE VIEW $published.my_view AS SELECT count() AS n FROM $published.users")
    publishing.prepare(house.warehouse)
    assert house.names(house.next) == {"users"}
    house.do("INSERT INTO $published.build_log VALUES (1)")  # while the build runs
    publishing.publish(house.warehouse)
    house.publish(2, "users")  # a full refresh
    publishing.rollback(house.warehouse)
    assert house.rows("SELECT count() FROM $published.build_log") == [(1,)]
    assert house.rows("SELECT n FROM $published.my_view") == [(100,)]


def test_a_table_without_successor_is_taken_away_and_comes_back_with_a_rollback(house: House) -> None:
    house.publish(1, "users", "old_mart")
    house.publish(2, "users", "new_mart")
    assert house.names(house.published) == {"users", "new_mart"}
    publishing.rollback(house.warehouse)
    assert house.names(house.published) == {"users", "old_mart"}
    assert house.versions("users", "old_mart") == [1, 1]
    house.publish(3, "users")
    assert house.names(house.published) == {"users"}


def test_views_name_the_published_database(house: House) -> None:
    publishing.prepare(house.warehouse, full_refresh=True)
    house.build(1, "users")
    house.do("CREATE VIEW $next.people AS SELECT id, version, 'v1' AS label FROM $next.users COMMENT 'every person'")
    publishing.publish(house.warehouse)
    assert house.rows("SELECT any(version), any(label) FROM $published.people") == [(1, "v1")]

    publishing.prepare(house.warehouse)  # a build that does not make the view again keeps it
    house.build(2, "users")
    assert house.rows("SELECT any(version), any(label) FROM $next.people") == [(2, "v1")]
    publishing.publish(house.warehouse)
    assert house.rows("SELECT any(version), any(label) FROM $published.people") == [(2, "v1")]

    publishing.prepare(house.warehouse)
    house.build(3, "users")
    house.do("CREATE OR REPLACE VIEW $next.people AS SELECT id, version, 'v3' AS label FROM $next.users")
    publishing.publish(house.warehouse)
    assert house.rows("SELECT any(version), any(label) FROM $published.people") == [(3, "v3")]
    publishing.rollback(house.warehouse)
    assert house.rows("SELECT any(version), any(label) FROM $published.people") == [(2, "v1")]
    (definition,) = house.rows(f"SELECT create_table_query FROM system.tables WHERE database = '{house.published}'"
                               " AND name = 'people'")[0]  # fmt: skip
    assert house.next not in definition
    assert "every person" in definition


def test_a_view_may_become_a_table_and_a_table_a_view(house: House) -> None:
    publishing.prepare(house.warehouse, full_refresh=True)
    house.build(1, "one")
    house.do("CREATE VIEW $next.two AS SELECT * FROM $next.one")
    publishing.publish(house.warehouse)
    publishing.prepare(house.warehouse)
    house.do("DROP TABLE $next.one")
    house.do("DROP VIEW $next.two")
    house.build(2, "two")
    house.do("CREATE VIEW $next.one AS SELECT * FROM $next.two")
    publishing.publish(house.warehouse)
    assert house.versions("one", "two") == [2, 2]
    publishing.rollback(house.warehouse)
    assert house.versions("one", "two") == [1, 1]


def test_a_view_over_something_unpublished_is_refused(house: House) -> None:
    house.publish(1, "users")
    publishing.prepare(house.warehouse)
    house.build(2, "users")
    house.do("CREATE VIEW $next.stg_events AS SELECT 1 AS id")
    house.do("CREATE VIEW $next.events AS SELECT id FROM $next.stg_events")
    with pytest.raises(FootfallError, match="The view events reads stg_events"):
        publishing.publish(house.warehouse)
    assert house.names(house.published) == {"users"}
    assert house.versions("users") == [1]


def test_publishing_needs_a_candidate(house: House) -> None:
    with pytest.raises(FootfallError, match="no finished build"):
        publishing.publish(house.warehouse)
    house.publish(1, "users")
    with pytest.raises(FootfallError, match="no finished build"):
        publishing.publish(house.warehouse)  # would put the version before back
    publishing.prepare(house.warehouse, full_refresh=True)
    with pytest.raises(FootfallError, match="no table to publish"):
        publishing.publish(house.warehouse)  # would take everything away
    assert house.versions("users") == [1]


def test_a_table_of_somebody_elses_is_not_replaced_by_a_model_of_its_name(house: House) -> None:
    house.publish(1, "users")
    house.do("CREATE TABLE $published.notes ENGINE = MergeTree ORDER BY () AS SELECT 'mine' AS note")
    publishing.prepare(house.warehouse)
    house.build(2, "users", "notes")
    with pytest.raises(FootfallError, match=rf"{house.published}\.notes is not Footfall's") as caught:
        publishing.publish(house.warehouse)
    assert "Rename it or the model" in caught.value.next_step
    assert house.rows("SELECT note FROM $published.notes") == [("mine",)]
    assert house.versions("users") == [1]
    house.do("RENAME TABLE $published.notes TO $published.my_notes")
    publishing.publish(house.warehouse)
    assert house.versions("users", "notes") == [2, 2]


def test_the_version_changes_with_the_swap_and_back_with_a_rollback(house: House) -> None:
    one, two = publishing.Version("one", "p"), publishing.Version("two", "q")
    assert publishing.standing(house.warehouse).published == publishing.UNKNOWN
    for version in (one, two):
        publishing.prepare(house.warehouse)
        house.build(1, "users")
        publishing.publish(house.warehouse, version)
        assert publishing.standing(house.warehouse) == publishing.Standing(version, publishing.UNKNOWN)
    publishing.rollback(house.warehouse)
    assert publishing.standing(house.warehouse) == publishing.Standing(one, two)
    publishing.prepare(house.warehouse)
    assert publishing.standing(house.warehouse) == publishing.Standing(one, publishing.UNKNOWN)


def test_a_journal_that_does_not_name_builds_goes_on(house: House) -> None:
    house.publish(1, "users")
    raw = house.warehouse.settings.raw_database
    house.do(f"ALTER TABLE {raw}.publish_journal DROP COLUMN now_build, DROP COLUMN before_build")
    assert publishing.standing(house.warehouse).published == publishing.UNKNOWN
    house.publish(2, "users")
    publishing.rollback(house.warehouse)
    assert house.versions("users") == [1]
    changed_at = f"SELECT metadata_modification_time FROM system.tables WHERE database = '{raw}'"
    before = house.rows(changed_at)
    time.sleep(1.1)
    publishing.recover(house.warehouse)
    assert house.rows(changed_at) == before


def test_a_view_is_swapped_right_behind_the_tables_it_reads(house: House) -> None:
    def publish(reads: str) -> list[str]:
        publishing.prepare(house.warehouse, full_refresh=True)
        house.build(1, "b", "d", "m", "o", "z")
        house.do(f"CREATE VIEW $next.e AS SELECT m.id FROM $next.m AS m JOIN $next.{reads} AS r ON m.id = r.id")
        house.do("CREATE VIEW $next.c AS SELECT id FROM $next.e")  # a view on a view, before it by name
        publishing.publish(house.warehouse)
        raw = house.warehouse.settings.raw_database
        return list(house.rows(f"SELECT pairs.name FROM {raw}.publish_journal FINAL")[0][0])

    assert publish("b") == ["d", "o", "z", "b", "m", "e", "c"]
    # Until the view itself is swapped, readers still meet the one before, on the tables that it reads.
    assert publish("z") == ["d", "o", "b", "m", "z", "e", "c"]


def test_a_swap_that_somebody_undoes_meanwhile_is_not_called_published(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.publish(1, "sessions", "users")
    publishing.prepare(house.warehouse)
    house.build(2, "sessions", "users")
    command = HttpClient.command

    def twice(client: HttpClient, cmd: str, *args: Any, **kwargs: Any) -> Any:
        if cmd.startswith("EXCHANGE"):
            command(client, cmd, *args, **kwargs)
        return command(client, cmd, *args, **kwargs)

    monkeypatch.setattr(HttpClient, "command", twice)
    with pytest.raises(FootfallError, match="not complete: sessions, users"):
        publishing.publish(house.warehouse)
    monkeypatch.undo()
    assert publishing.recover(house.warehouse)
    assert house.versions("sessions", "users") == [2, 2]


def test_what_a_killed_build_still_runs_is_ended_by_the_next(house: House) -> None:
    house.publish(1, "users")
    house.do("CREATE TABLE $next.slow (id UInt64) ENGINE = MergeTree ORDER BY id")
    ended: list[str] = []

    def orphan() -> None:
        with house.warehouse.client(house.next) as client:
            try:
                client.command("INSERT INTO slow SELECT sleepEachRow(1) FROM numbers(100) SETTINGS max_block_size = 1")
            except DatabaseError as error:
                ended.append(str(error))

    thread = threading.Thread(target=orphan)
    thread.start()
    at_work = "SELECT count() FROM system.processes WHERE current_database = '$next'"
    while house.rows(at_work) == [(0,)]:
        time.sleep(0.05)
    publishing.prepare(house.warehouse)
    assert house.rows(at_work) == [(0,)]
    thread.join(10)
    assert "QUERY_WAS_CANCELLED" in ended[0]


def test_rollback_needs_a_version_before(house: House) -> None:
    with pytest.raises(FootfallError, match="no version before"):
        publishing.rollback(house.warehouse)
    house.publish(1, "users")
    with pytest.raises(FootfallError, match="no version before"):
        publishing.rollback(house.warehouse)
    house.publish(2, "users")
    publishing.rollback(house.warehouse)
    assert house.versions("users") == [1]
    with pytest.raises(FootfallError, match="already been put back"):
        publishing.rollback(house.warehouse)
    house.publish(3, "users")
    publishing.prepare(house.warehouse)
    house.build(4, "users")  # and its checks fail
    with pytest.raises(FootfallError, match="a build that began after"):
        publishing.rollback(house.warehouse)
    assert house.versions("users") == [3]


def test_rollback_refuses_a_version_before_that_was_built_over_by_hand(house: House) -> None:
    house.publish(1, "sessions", "users")
    house.publish(2, "sessions", "users")
    house.build(9, "users")
    with pytest.raises(FootfallError, match="users has been changed by hand"):
        publishing.rollback(house.warehouse)
    assert house.versions("sessions", "users") == [2, 2]


class Dies(Exception):
    pass


@pytest.fixture
def die_after(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets so many statements through, then dies at the next one."""
    command, insert = HttpClient.command, HttpClient.data_insert
    left = [10**9]

    def dying(original: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            if left[0] == 0:
                raise Dies
            left[0] -= 1
            return original(*args, **kwargs)

        return run

    monkeypatch.setattr(HttpClient, "command", dying(command))
    monkeypatch.setattr(HttpClient, "data_insert", dying(insert))

    def arm(statements: int | None) -> None:
        left[0] = 10**9 if statements is None else statements

    return arm


def candidate_of_everything(house: House) -> None:
    """Version 1 published; the candidate of version 2 replaces, adds and takes away tables and a view."""
    publishing.prepare(house.warehouse, full_refresh=True)
    house.build(1, "sessions", "users", "old_mart")
    house.do("CREATE VIEW $next.people AS SELECT id, version FROM $next.users")
    publishing.publish(house.warehouse)
    publishing.prepare(house.warehouse)
    house.build(2, "sessions", "users", "new_mart")
    house.do("DROP TABLE $next.old_mart")
    house.do("CREATE OR REPLACE VIEW $next.people AS SELECT id, version FROM $next.sessions")


OLD = {"sessions", "users", "old_mart", "people"}
NEW = {"sessions", "users", "new_mart", "people"}


def whole_version(house: House) -> int:
    """The version that is published; fails if it is a mixture."""
    names = house.names(house.published)
    assert names in (OLD, NEW)
    version = 1 if names == OLD else 2
    assert house.versions(*names) == [version] * 4
    return version


def test_a_crash_at_any_step_of_publishing_and_rolling_back_ends_in_one_whole_version(
    house: House, die_after: Any
) -> None:
    finished = False
    statements, outcomes = 0, []
    while not finished:
        candidate_of_everything(house)
        die_after(statements)
        try:
            publishing.publish(house.warehouse)
            finished = True
        except Dies:
            pass
        die_after(None)
        recovered = publishing.recover(house.warehouse)
        outcomes.append((recovered, whole_version(house)))
        assert not publishing.recover(house.warehouse)
        if outcomes[-1][1] == 1:
            publishing.publish(house.warehouse)  # the same command again
        assert whole_version(house) == 2

        # The same crash, on the way back.
        die_after(statements)
        try:
            publishing.rollback(house.warehouse)
        except Dies:
            die_after(None)
            publishing.recover(house.warehouse)
            if whole_version(house) == 2:
                publishing.rollback(house.warehouse)
        die_after(None)
        assert whole_version(house) == 1
        statements += 1
    # Old versions until it is journalled, then new ones only, each of them finished by recover; at last no crash.
    assert outcomes == [*sorted(outcomes[:-1]), (False, 2)]
    assert {(False, 1), (True, 2)} < set(outcomes)
    assert outcomes.count((True, 2)) >= 5


def test_a_crash_at_any_step_of_preparing_leaves_the_published_version_and_can_be_repeated(
    house: House, die_after: Any
) -> None:
    candidate_of_everything(house)
    publishing.publish(house.warehouse)
    finished, statements = False, 0
    while not finished:
        die_after(statements)
        try:
            publishing.prepare(house.warehouse)
            finished = True
        except Dies:
            statements += 1
        die_after(None)
        assert whole_version(house) == 2
    assert statements > 8
    assert house.names(house.next) == NEW
    publishing.publish(house.warehouse)
    assert whole_version(house) == 2


PUBLISHER = """
from warehouse import publishing
from warehouse.connection import connect
from warehouse.settings import get_settings
with connect(get_settings()) as warehouse:
    print("ready", flush=True)
    publishing.publish(warehouse)
"""


def test_killed_while_publishing(house: House) -> None:
    for delay in (0.005, 0.015, 0.03, 0.05):
        candidate_of_everything(house)
        environment = os.environ | house.warehouse.environment()
        process = subprocess.Popen(
            [sys.executable, "-c", PUBLISHER], env=environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(delay)
        process.kill()
        process.communicate()
        time.sleep(0.05)  # a statement that the server already has may still end
        publishing.recover(house.warehouse)
        if whole_version(house) == 1:
            publishing.publish(house.warehouse)
        assert whole_version(house) == 2


def test_a_swap_that_cannot_be_finished_says_so_and_a_full_refresh_is_the_way_out(house: House, die_after: Any) -> None:
    candidate_of_everything(house)
    die_after(8)  # the journal and some of the exchanges
    with pytest.raises(Dies):
        publishing.publish(house.warehouse)
    die_after(None)
    house.do("DROP TABLE IF EXISTS $next.users")
    house.do("DROP TABLE IF EXISTS $published.users")
    with pytest.raises(FootfallError, match="changed by hand") as caught:
        publishing.prepare(house.warehouse)
    assert "--full-refresh" in caught.value.next_step
    house.publish(3, "sessions", "users")
    assert house.versions("sessions", "users") == [3, 3]


def test_readers_see_no_error_no_gap_and_no_partial_table_while_versions_are_published(house: House) -> None:
    def make(version: int) -> None:
        publishing.prepare(house.warehouse, full_refresh=version % 3 == 0)
        house.build(version, "sessions", "users")
        house.do("CREATE OR REPLACE VIEW $next.people AS SELECT id, version FROM $next.users")
        publishing.publish(house.warehouse)

    make(1)
    stop = threading.Event()
    seen: list[set[int]] = []
    troubles: list[object] = []

    def read(name: str) -> None:
        versions = set()
        with house.warehouse.client() as client:
            while not stop.is_set():
                try:
                    query = f"SELECT count(), min(version), max(version) FROM {house.published}.{name}"
                    count, lowest, highest = client.query(query).result_rows[0]
                except Exception as error:
                    troubles.append(error)
                    break
                if count != 100 or lowest != highest:
                    troubles.append((name, count, lowest, highest))
                versions.add(highest)
        seen.append(versions)

    readers = [threading.Thread(target=read, args=(name,)) for name in ("sessions", "users", "people")]
    for reader in readers:
        reader.start()
    for version in range(2, 11):
        make(version)
        if version % 5 == 0:
            publishing.rollback(house.warehouse)
    stop.set()
    for reader in readers:
        reader.join()
    assert troubles == []
    assert all(len(versions) > 3 for versions in seen)


def test_thirty_tables_are_prepared_and_published_in_moments(house: House) -> None:
    names = [f"mart_{number}" for number in range(30)]
    house.publish(1, *names)
    started = time.monotonic()
    publishing.prepare(house.warehouse)
    prepared = time.monotonic()
    publishing.publish(house.warehouse)
    published = time.monotonic()
    # A tenth of this on an idle machine; what matters is that it does not grow with the data.
    assert prepared - started < 3
    assert published - prepared < 3


def test_clones_take_no_room(house: House) -> None:
    publishing.prepare(house.warehouse, full_refresh=True)
    house.do(
        "CREATE TABLE $next.events ENGINE = MergeTree ORDER BY id"
        " AS SELECT number AS id, randomString(100) AS payload FROM numbers(200000)"
    )
    publishing.publish(house.warehouse)
    folder = house.warehouse.settings.home / "warehouse" / "data"

    def used() -> int:
        inodes = {}
        for file in folder.rglob("*.bin"):
            status = file.stat()
            inodes[status.st_ino] = status.st_size
        return sum(inodes.values())

    before = used()
    publishing.prepare(house.warehouse)
    assert house.rows("SELECT count() FROM $next.events") == [(200000,)]
    assert used() - before < 2_000_000
