"""Views are published in the words of the published database, and behind what they read."""

import pytest

from tests.warehouse.store import Store
from warehouse import publishing
from warehouse.errors import FootfallError


def test_views_name_the_published_database(store: Store) -> None:
    publishing.prepare(store.warehouse, full_refresh=True)
    store.build(1, "users")
    store.do("CREATE VIEW $next.people AS SELECT id, version, 'v1' AS label FROM $next.users COMMENT 'every person'")
    publishing.publish(store.warehouse)
    assert store.rows("SELECT any(version), any(label) FROM $published.people") == [(1, "v1")]

    publishing.prepare(store.warehouse)  # a build that does not make the view again keeps it
    store.build(2, "users")
    assert store.rows("SELECT any(version), any(label) FROM $next.people") == [(2, "v1")]
    publishing.publish(store.warehouse)
    assert store.rows("SELECT any(version), any(label) FROM $published.people") == [(2, "v1")]

    publishing.prepare(store.warehouse)
    store.build(3, "users")
    store.do("CREATE OR REPLACE VIEW $next.people AS SELECT id, version, 'v3' AS label FROM $next.users")
    publishing.publish(store.warehouse)
    assert store.rows("SELECT any(version), any(label) FROM $published.people") == [(3, "v3")]
    publishing.rollback(store.warehouse)
    assert store.rows("SELECT any(version), any(label) FROM $published.people") == [(2, "v1")]
    (definition,) = store.rows(f"SELECT create_table_query FROM system.tables WHERE database = '{store.published}'"
                               " AND name = 'people'")[0]  # fmt: skip
    assert store.next not in definition
    assert "every person" in definition


def test_a_view_may_become_a_table_and_a_table_a_view(store: Store) -> None:
    publishing.prepare(store.warehouse, full_refresh=True)
    store.build(1, "one")
    store.do("CREATE VIEW $next.two AS SELECT * FROM $next.one")
    publishing.publish(store.warehouse)
    publishing.prepare(store.warehouse)
    store.do("DROP TABLE $next.one")
    store.do("DROP VIEW $next.two")
    store.build(2, "two")
    store.do("CREATE VIEW $next.one AS SELECT * FROM $next.two")
    publishing.publish(store.warehouse)
    assert store.versions("one", "two") == [2, 2]
    publishing.rollback(store.warehouse)
    assert store.versions("one", "two") == [1, 1]


def test_a_view_over_something_unpublished_is_refused(store: Store) -> None:
    store.publish(1, "users")
    publishing.prepare(store.warehouse)
    store.build(2, "users")
    store.do("CREATE VIEW $next.stg_events AS SELECT 1 AS id")
    store.do("CREATE VIEW $next.events AS SELECT id FROM $next.stg_events")
    with pytest.raises(FootfallError, match="The view events reads stg_events"):
        publishing.publish(store.warehouse)
    assert store.names(store.published) == {"users"}
    assert store.versions("users") == [1]


def test_views_are_swapped_behind_the_tables_they_read_and_new_tables_come_first(store: Store) -> None:
    def publish(reads: str, *new: str) -> list[str]:
        publishing.prepare(store.warehouse, full_refresh=True)
        store.build(1, "b", "d", "m", "o", "z", *new)
        store.do(f"CREATE VIEW $next.e AS SELECT m.id FROM $next.m AS m JOIN $next.{reads} AS r ON m.id = r.id")
        store.do("CREATE VIEW $next.c AS SELECT id FROM $next.e")  # a view on a view, before it by name
        publishing.publish(store.warehouse)
        raw = store.warehouse.settings.raw_database
        return list(store.rows(f"SELECT pairs.name FROM {raw}.publish_journal FINAL")[0][0])

    assert publish("b") == ["d", "o", "z", "b", "m", "e", "c"]
    # Until the view itself is swapped, readers still meet the one before, on the tables that it reads.
    assert publish("z") == ["d", "o", "b", "m", "z", "e", "c"]
    assert publish("y", "y") == ["y", "b", "d", "o", "m", "z", "e", "c"]
