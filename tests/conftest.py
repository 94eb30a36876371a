"""A real warehouse for every test: one local server per test session, and its databases for one test at a time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from warehouse.connection import Warehouse, connect
from warehouse.ports import free_ports
from warehouse.settings import Settings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with long tests come first, so that in the end no worker is left alone with one."""
    long = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """The local server of this test session (of this worker, under xdist), on random ports, in a home of its own."""
    home: Path = tmp_path_factory.mktemp("home")
    http_port, tcp_port, ui_port = free_ports(3)
    settings = Settings(
        home=home, host=None, http_port=http_port, tcp_port=tcp_port, ui_port=ui_port, raw_database="raw",
        database="analytics", secret=None,
    )  # fmt: skip
    with connect(settings) as warehouse:
        yield warehouse


# The databases have the same names each time: what dbt has parsed for one test it need not parse again for the next.
@pytest.fixture
def warehouse(server: Warehouse) -> Iterator[Warehouse]:
    """A warehouse with raw and published databases that only this test uses; they are dropped afterwards."""
    drop(server)  # what a test that was killed may have left
    yield server
    drop(server)


@pytest.fixture(scope="module")
def shared_warehouse(server: Warehouse) -> Iterator[Warehouse]:
    """The same for a module whose tests look at one outcome; none of them may ask for `warehouse` as well."""
    yield server
    drop(server)


def drop(warehouse: Warehouse) -> None:
    """Drop the databases that the warehouse's settings name."""
    settings = warehouse.settings
    with warehouse.client() as client:
        for name in (settings.raw_database, settings.database, settings.next_database):
            client.command("DROP DATABASE IF EXISTS {name:Identifier} SYNC", parameters={"name": name})
