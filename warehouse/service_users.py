"""The users that the HTTP service asks and writes as: the same warehouse, with far fewer rights."""

from dataclasses import replace

from pydantic import SecretStr

from warehouse import access
from warehouse.connection import Warehouse


def reader(warehouse: Warehouse) -> Warehouse:
    """The warehouse as the user that can only read what is published. Raises FootfallError if there is none yet."""
    return _as_service(warehouse, "footfall_reader")


def recorder(warehouse: Warehouse) -> Warehouse:
    """The warehouse as the user that can only write down calls of the HTTP service; see `reader`."""
    return _as_service(warehouse, "footfall_recorder")


def _as_service(warehouse: Warehouse, name: str) -> Warehouse:
    password = access.service_password(warehouse.settings.home, name)
    return replace(warehouse, user=name, password=SecretStr(password))
