from collections.abc import Iterator

import pytest

from tests.warehouse.store import Store
from warehouse.connection import Warehouse


@pytest.fixture
def store(warehouse: Warehouse) -> Iterator[Store]:
    with warehouse.client() as client:
        yield Store(warehouse, client)
