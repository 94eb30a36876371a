"""What was published and is not any more as it was is noticed; what Footfall and the server do themselves is not."""

import re
import time

from tests.warehouse.store import Store
from warehouse import publishing

PATCH = "SETTINGS lightweight_delete_mode = 'lightweight_update_force'"
BY_HAND = {
    "dropped": "DROP TABLE $",
    "renamed": "RENAME TABLE $ TO $published.my_own",
    "replaced": "CREATE OR REPLACE TABLE $ ENGINE = MergeTree ORDER BY id AS SELECT 1 AS id",
    "column_added": "ALTER TABLE $ ADD COLUMN note String",
    "column_altered": "ALTER TABLE $ MODIFY COLUMN version String",
    "rows_written": "INSERT INTO $ VALUES (1000, 1)",
    "rows_updated": "ALTER TABLE $ UPDATE version = 7 WHERE id = 1 SETTINGS mutations_sync = 2",
    "rows_deleted": "DELETE FROM $ WHERE id = 1",
    "rows_patched": f"DELETE FROM $ WHERE id = 1 {PATCH}",
    "partition_dropped": "ALTER TABLE $ DROP PARTITION 1",
    "truncated": "TRUNCATE TABLE $",
    "view_dropped": "DROP VIEW $",
    "view_replaced": "CREATE OR REPLACE VIEW $ AS SELECT 1 AS id",
}


def build(store: Store, version: int) -> None:
    """Builds everything from nothing."""
    publishing.prepare(store.warehouse, full_refresh=True)
    for name in ("untouched", *BY_HAND):
        if name.startswith("view"):
            store.do(f"CREATE VIEW $next.{name} AS SELECT id, version FROM $next.untouched")
        else:
            store.do(
                f"CREATE TABLE $next.{name} (id UInt64, version UInt64) ENGINE = MergeTree PARTITION BY id % 3 ORDER BY"
                " id SETTINGS enable_block_number_column = 1, enable_block_offset_column = 1"
            )
            store.do(f"INSERT INTO $next.{name} SELECT number, {version} FROM numbers(100)")
    publishing.publish(store.warehouse)


def test_nothing_published_is_nothing_changed(store: Store) -> None:
    assert publishing.changed_by_hand(store.warehouse) == set()


def test_what_is_changed_by_hand_is_named_until_it_is_built_again(store: Store) -> None:
    build(store, 1)
    assert publishing.changed_by_hand(store.warehouse) == set()
    for name, statement in BY_HAND.items():
        store.do(re.sub(r"\$(?!\w)", f"$published.{name}", statement))
    assert publishing.changed_by_hand(store.warehouse) == BY_HAND.keys()
    publishing.prepare(store.warehouse)
    store.do("DROP TABLE $next.untouched")  # and the build fails
    assert publishing.changed_by_hand(store.warehouse) == BY_HAND.keys()
    build(store, 2)
    assert publishing.changed_by_hand(store.warehouse) == set()
    assert store.versions("untouched", *BY_HAND) == [2] * (len(BY_HAND) + 1)


def test_merges_deletions_of_builds_and_a_rollback_are_no_change_by_hand(store: Store) -> None:
    build(store, 1)
    for day in range(3):
        publishing.prepare(store.warehouse)
        assert publishing.changed_by_hand(store.warehouse) == set()
        for mode in ("alter_update", "lightweight_update_force"):
            gone = 2 * day + (mode == "alter_update")
            store.do(
                f"DELETE FROM $next.untouched WHERE id = {gone}"
                f" SETTINGS lightweight_delete_mode = '{mode}', mutations_sync = 2"
            )
        store.do(f"INSERT INTO $next.untouched SELECT number + 1000, {day} FROM numbers(10)")
        publishing.publish(store.warehouse)
        assert publishing.changed_by_hand(store.warehouse) == set()
        store.do("OPTIMIZE TABLE $published.untouched FINAL")
        assert publishing.changed_by_hand(store.warehouse) == set()
    publishing.rollback(store.warehouse)
    assert publishing.changed_by_hand(store.warehouse) == set()
    store.do("DROP TABLE $published.truncated")
    assert publishing.changed_by_hand(store.warehouse) == {"truncated"}


def test_what_an_older_footfall_published_is_only_missed(store: Store) -> None:
    build(store, 1)
    raw = store.warehouse.settings.raw_database
    store.do(f"ALTER TABLE {raw}.publish_journal DROP COLUMN made")
    store.do("INSERT INTO $published.truncated VALUES (1000, 1)")
    assert publishing.changed_by_hand(store.warehouse) == set()
    store.do("DROP TABLE $published.untouched")
    assert publishing.changed_by_hand(store.warehouse) == {"untouched"}


def test_looking_is_cheap(store: Store) -> None:
    store.publish(1, *[f"mart_{number}" for number in range(40)])
    started = time.monotonic()
    assert publishing.changed_by_hand(store.warehouse) == set()
    assert time.monotonic() - started < 1  # some 15 ms on an idle machine
