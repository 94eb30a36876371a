"""Write, audit, publish: people read one version, then the next, and nothing in between."""

import threading
import time

import pytest

from tests.warehouse.store import Store
from warehouse import publishing
from warehouse.errors import FootfallError


def test_a_candidate_begins_as_clones_that_can_be_changed_without_touching_what_people_read(store: Store) -> None:
    store.publish(1, "sessions", "users")
    publishing.prepare(store.warehouse)
    assert store.rows("SELECT count() FROM $next.sessions") == [(100,)]
    store.do("DELETE FROM $next.sessions WHERE id < 50")
    store.do("INSERT INTO $next.users SELECT 1000, 2")
    assert store.rows("SELECT count() FROM $published.sessions") == [(100,)]
    publishing.publish(store.warehouse)
    assert store.rows("SELECT count() FROM $published.sessions") == [(50,)]
    assert store.rows("SELECT count() FROM $published.users") == [(101,)]


def test_what_is_rebuilt_is_not_cloned_and_dbt_is_told(store: Store) -> None:
    store.publish(1, "sessions", "users")
    publishing.prepare(store.warehouse, rebuild={"users": "SQL", "changed_users": "follows from users"})
    assert store.names(store.next) == {"sessions", "changed_models"}
    assert store.rows("SELECT name FROM $next.changed_models ORDER BY name") == [("changed_users",), ("users",)]
    store.build(2, "users")
    publishing.publish(store.warehouse)
    assert store.versions("sessions", "users") == [1, 2]
    assert store.names(store.published) == {"sessions", "users"}
    publishing.give_up_previous_version(store.warehouse)
    assert store.names(store.next) == {"sessions", "users"}, "what was rebuilt says nothing of the previous version"


def test_a_clone_is_like_its_original_in_every_word(store: Store) -> None:
    publishing.prepare(store.warehouse, full_refresh=True)
    store.do(
        """
        CREATE TABLE $next.sessions (
            id UInt64 COMMENT 'key' CODEC(Delta, ZSTD),
            day Date DEFAULT toDate('2026-01-01') + id % 90 COMMENT 'a day',
            source LowCardinality(String) DEFAULT toString(id % 5),
            INDEX by_source source TYPE set(10) GRANULARITY 2,
            PROJECTION days (SELECT day, count() GROUP BY day),
            CONSTRAINT small CHECK id < 1000000
        )
        ENGINE = MergeTree PARTITION BY toYYYYMM(day) ORDER BY id TTL day + INTERVAL 100 YEAR
        SETTINGS enable_block_number_column = 1, enable_block_offset_column = 1, index_granularity = 1000
        COMMENT 'a table'
        """
    )
    store.do("INSERT INTO $next.sessions (id) SELECT number FROM numbers(1000)")
    store.do("CREATE TABLE $next.nothing_yet (id UInt64) ENGINE = MergeTree ORDER BY id")
    publishing.publish(store.warehouse)
    publishing.prepare(store.warehouse)
    words = (
        "SELECT name, replaceAll(create_table_query, '{0}.', '') FROM system.tables WHERE database = '{0}' ORDER BY 1"
    )
    assert store.rows(words.format("$next")) == store.rows(words.format("$published"))
    projected = "SELECT name, sum(rows) FROM system.projection_parts WHERE database = '{0}' AND active GROUP BY name"
    assert store.rows(projected.format("$next")) == store.rows(projected.format("$published")) == [("days", 90)]
    store.do("INSERT INTO $next.nothing_yet VALUES (1)")
    assert store.rows("SELECT count() FROM $published.nothing_yet") == [(0,)]


@pytest.mark.parametrize("mode", ["alter_update", "lightweight_update_force"])
def test_deleted_rows_stay_deleted_from_build_to_build(store: Store, mode: str) -> None:
    publishing.prepare(store.warehouse, full_refresh=True)
    store.do(
        "CREATE TABLE $next.sessions (id UInt64, day Date) ENGINE = MergeTree PARTITION BY toYYYYMM(day) ORDER BY id"
        " SETTINGS enable_block_number_column = 1, enable_block_offset_column = 1"
    )
    store.do("INSERT INTO $next.sessions SELECT number, toDate('2026-01-01') + number % 90 FROM numbers(1000)")
    publishing.publish(store.warehouse)
    left = 1000
    for build in range(3):
        publishing.prepare(store.warehouse)
        assert store.rows("SELECT count() FROM $next.sessions") == [(left,)]
        store.do(f"DELETE FROM $next.sessions WHERE id % 10 = {build} SETTINGS lightweight_delete_mode = '{mode}'")
        store.do(f"INSERT INTO $next.sessions SELECT {build}, '2026-01-01'")  # one comes back, recomputed
        assert store.rows("SELECT count() FROM $published.sessions") == [(left,)]
        publishing.publish(store.warehouse)
        left -= 99
        assert store.rows("SELECT count(), uniqExact(id) FROM $published.sessions") == [(left, left)]
    publishing.rollback(store.warehouse)
    assert store.rows("SELECT count() FROM $published.sessions") == [(left + 99,)]


def test_staging_views_and_the_change_feed_stay_beside(store: Store) -> None:
    publishing.prepare(store.warehouse, full_refresh=True)
    store.build(1, "users", "changed_users", "users__dbt_tmp")
    store.do("CREATE VIEW $next.stg_events AS SELECT 1 AS id")
    publishing.publish(store.warehouse)
    assert store.names(store.published) == {"users"}


def test_what_footfall_has_not_published_is_never_touched(store: Store) -> None:
    store.publish(1, "users")
    store.do("CREATE TABLE $published.build_log (id UInt64) ENGINE = MergeTree ORDER BY id")
    store.do("CREATE VIEW $published.my_view AS SELECT count() AS n FROM $published.users")
    publishing.prepare(store.warehouse)
    assert store.names(store.next) == {"users"}
    store.do("INSERT INTO $published.build_log VALUES (1)")  # while the build runs
    publishing.publish(store.warehouse)
    store.publish(2, "users")  # a full refresh
    publishing.rollback(store.warehouse)
    assert store.rows("SELECT count() FROM $published.build_log") == [(1,)]
    assert store.rows("SELECT n FROM $published.my_view") == [(100,)]


def test_a_table_without_successor_is_taken_away_and_comes_back_with_a_rollback(store: Store) -> None:
    store.publish(1, "users", "old_mart")
    store.publish(2, "users", "new_mart")
    assert store.names(store.published) == {"users", "new_mart"}
    publishing.rollback(store.warehouse)
    assert store.names(store.published) == {"users", "old_mart"}
    assert store.versions("users", "old_mart") == [1, 1]
    store.publish(3, "users")
    assert store.names(store.published) == {"users"}


def test_publishing_needs_a_candidate(store: Store) -> None:
    with pytest.raises(FootfallError, match="no finished build"):
        publishing.publish(store.warehouse)
    store.publish(1, "users")
    with pytest.raises(FootfallError, match="no finished build"):
        publishing.publish(store.warehouse)  # would put the previous version back
    publishing.prepare(store.warehouse, full_refresh=True)
    with pytest.raises(FootfallError, match="no table to publish"):
        publishing.publish(store.warehouse)  # would take everything away
    assert store.versions("users") == [1]


def test_a_table_of_somebody_elses_is_not_replaced_by_a_model_of_its_name(store: Store) -> None:
    store.publish(1, "users")
    store.do("CREATE TABLE $published.notes ENGINE = MergeTree ORDER BY () AS SELECT 'mine' AS note")
    publishing.prepare(store.warehouse)
    store.build(2, "users", "notes")
    with pytest.raises(FootfallError, match=rf"{store.published}\.notes is not Footfall's") as caught:
        publishing.publish(store.warehouse)
    assert "Rename it or the model" in caught.value.next_step
    assert store.rows("SELECT note FROM $published.notes") == [("mine",)]
    assert store.versions("users") == [1]
    store.do("RENAME TABLE $published.notes TO $published.my_notes")
    publishing.publish(store.warehouse)
    assert store.versions("users", "notes") == [2, 2]


def test_a_journal_that_does_not_name_builds_goes_on(store: Store) -> None:
    store.publish(1, "users")
    raw = store.warehouse.settings.raw_database
    store.do(f"ALTER TABLE {raw}.publish_journal DROP COLUMN now_build, DROP COLUMN before_build")
    assert publishing.standing(store.warehouse).published == publishing.UNKNOWN
    store.publish(2, "users")
    publishing.rollback(store.warehouse)
    assert store.versions("users") == [1]
    changed_at = f"SELECT metadata_modification_time FROM system.tables WHERE database = '{raw}'"
    before = store.rows(changed_at)
    time.sleep(1.1)
    publishing.recover(store.warehouse)
    assert store.rows(changed_at) == before


def test_readers_see_no_error_no_gap_and_no_partial_table_while_versions_are_published(store: Store) -> None:
    def make(version: int) -> None:
        publishing.prepare(store.warehouse, full_refresh=version % 3 == 0)
        store.build(version, "sessions", "users")
        store.do("CREATE OR REPLACE VIEW $next.people AS SELECT id, version FROM $next.users")
        publishing.publish(store.warehouse)

    make(1)
    stop = threading.Event()
    seen: list[set[int]] = []
    troubles: list[object] = []

    def read(name: str) -> None:
        versions = set()
        with store.warehouse.client() as client:
            while not stop.is_set():
                try:
                    query = f"SELECT count(), min(version), max(version) FROM {store.published}.{name}"
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
            publishing.rollback(store.warehouse)
    stop.set()
    for reader in readers:
        reader.join()
    assert troubles == []
    assert all(len(versions) > 3 for versions in seen)


def test_thirty_tables_are_prepared_and_published_in_moments(store: Store) -> None:
    names = [f"mart_{number}" for number in range(30)]
    store.publish(1, *names)
    started = time.monotonic()
    publishing.prepare(store.warehouse)
    prepared = time.monotonic()
    publishing.publish(store.warehouse)
    published = time.monotonic()
    # A tenth of this on an idle machine; what matters is that it does not grow with the data.
    assert prepared - started < 3
    assert published - prepared < 3


def test_clones_take_no_room(store: Store) -> None:
    publishing.prepare(store.warehouse, full_refresh=True)
    store.do(
        "CREATE TABLE $next.events ENGINE = MergeTree ORDER BY id"
        " AS SELECT number AS id, randomString(100) AS payload FROM numbers(200000)"
    )
    publishing.publish(store.warehouse)
    folder = store.warehouse.settings.home / "warehouse" / "data"

    def used() -> int:
        inodes = {}
        for file in folder.rglob("*.bin"):
            status = file.stat()
            inodes[status.st_ino] = status.st_size
        return sum(inodes.values())

    before = used()
    publishing.prepare(store.warehouse)
    assert store.rows("SELECT count() FROM $next.events") == [(200000,)]
    assert used() - before < 2_000_000
