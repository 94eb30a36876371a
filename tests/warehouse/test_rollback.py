"""The previous version comes back as it was, if there is one."""

import pytest

from tests.warehouse.house import House
from warehouse import publishing
from warehouse.errors import FootfallError


def test_rollback_needs_a_previous_version(house: House) -> None:
    with pytest.raises(FootfallError, match="no previous version"):
        publishing.rollback(house.warehouse)
    house.publish(1, "users")
    with pytest.raises(FootfallError, match="no previous version"):
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


def test_rollback_refuses_a_previous_version_that_was_built_over_by_hand(house: House) -> None:
    house.publish(1, "sessions", "users")
    house.publish(2, "sessions", "users")
    house.build(9, "users")
    with pytest.raises(FootfallError, match="users has been changed by hand"):
        publishing.rollback(house.warehouse)
    assert house.versions("sessions", "users") == [2, 2]


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
