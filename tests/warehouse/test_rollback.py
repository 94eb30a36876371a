"""The previous version comes back as it was, if there is one."""

import pytest

from tests.warehouse.store import Store
from warehouse import publishing
from warehouse.errors import FootfallError


def test_rollback_needs_a_previous_version(store: Store) -> None:
    with pytest.raises(FootfallError, match="no previous version"):
        publishing.rollback(store.warehouse)
    store.publish(1, "users")
    with pytest.raises(FootfallError, match="no previous version"):
        publishing.rollback(store.warehouse)
    store.publish(2, "users")
    publishing.rollback(store.warehouse)
    assert store.versions("users") == [1]
    with pytest.raises(FootfallError, match="already been put back"):
        publishing.rollback(store.warehouse)
    store.publish(3, "users")
    publishing.prepare(store.warehouse)
    store.build(4, "users")  # and its checks fail
    with pytest.raises(FootfallError, match="a build that began after"):
        publishing.rollback(store.warehouse)
    assert store.versions("users") == [3]


def test_rollback_refuses_a_previous_version_that_was_built_over_by_hand(store: Store) -> None:
    store.publish(1, "sessions", "users")
    store.publish(2, "sessions", "users")
    store.build(9, "users")
    with pytest.raises(FootfallError, match="users has been changed by hand"):
        publishing.rollback(store.warehouse)
    assert store.versions("sessions", "users") == [2, 2]


def test_the_version_changes_with_the_swap_and_back_with_a_rollback(store: Store) -> None:
    one, two = publishing.Version("one", "p"), publishing.Version("two", "q")
    assert publishing.standing(store.warehouse).published == publishing.UNKNOWN
    for version in (one, two):
        publishing.prepare(store.warehouse)
        store.build(1, "users")
        publishing.publish(store.warehouse, version)
        assert publishing.standing(store.warehouse) == publishing.Standing(version, publishing.UNKNOWN)
    publishing.rollback(store.warehouse)
    assert publishing.standing(store.warehouse) == publishing.Standing(one, two)
    publishing.prepare(store.warehouse)
    assert publishing.standing(store.warehouse) == publishing.Standing(one, publishing.UNKNOWN)
