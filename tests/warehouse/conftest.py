from collections.abc import Iterator

import pytest

from tests.warehouse.house import House
from warehouse.connection import Warehouse


@pytest.fixture
def house(warehouse: Warehouse) -> Iterator[House]:
    with warehouse.client() as client:
        yield House(warehouse, client)
