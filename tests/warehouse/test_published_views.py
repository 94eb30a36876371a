"""Views are published in the words of the published database, and behind what they read."""

import pytest

from tests.warehouse.house import House
from warehouse import publishing
from warehouse.errors import FootfallError


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


def test_views_are_swapped_behind_the_tables_they_read_and_new_tables_come_first(house: House) -> None:
    def publish(reads: str, *new: str) -> list[str]:
        publishing.prepare(house.warehouse, full_refresh=True)
        house.build(1, "b", "d", "m", "o", "z", *new)
        house.do(f"CREATE VIEW $next.e AS SELECT m.id FROM $next.m AS m JOIN $next.{reads} AS r ON m.id = r.id")
        house.do("CREATE VIEW $next.c AS SELECT id FROM $next.e")  # a view on a view, before it by name
        publishing.publish(house.warehouse)
        raw = house.warehouse.settings.raw_database
        return list(house.rows(f"SELECT pairs.name FROM {raw}.publish_journal FINAL")[0][0])

    assert publish("b") == ["d", "o", "z", "b", "m", "e", "c"]
    # Until the view itself is swapped, readers still meet the one before, on the tables that it reads.
    assert publish("z") == ["d", "o", "b", "m", "z", "e", "c"]
    assert publish("y", "y") == ["y", "b", "d", "o", "m", "z", "e", "c"]
