"""A real warehouse for every test: one local server per test session, databases of its own per test."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
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
        database="analytics", cluster=None, secret=None,
    )  # fmt: skip
    with connect(settings) as warehouse:
        yield warehouse


@pytest.fixture
def warehouse(server: Warehouse) -> Iterator[Warehouse]:
    """A warehouse with raw and published databases that only this test uses; they are dropped afterwards."""
    name = uuid.uuid4().hex[:12]
    settings = server.settings.model_copy(update={"raw_database": f"raw_{name}", "database": f"analytics_{name}"})
    yield replace(server, settings=settings)
    with server.client() as client:
        for database in (settings.raw_database, settings.database, settings.next_database):
            client.command("DROP DATABASE IF EXISTS {db:Identifier} SYNC", parameters={"db": database})
