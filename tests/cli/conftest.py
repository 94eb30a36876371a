"""The command as people run it: a process of its own, on the warehouse of the test session."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from warehouse.connection import Warehouse

ROOT = Path(__file__).parents[2]

Footfall = Callable[..., "subprocess.CompletedProcess[str]"]


def environment_of(warehouse: Warehouse, **variables: str) -> dict[str, str]:
    """The environment of a process that works on this warehouse, with these variables besides."""
    settings = warehouse.settings
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CLICKHOUSE_", "DAGSTER_"))}
    return {
        **inherited,
        "FOOTFALL_HOME": str(settings.home),
        "FOOTFALL_RAW_DATABASE": settings.raw_database,
        "FOOTFALL_DATABASE": settings.database,
        **variables,
    }


def footfall_of(warehouse: Warehouse, **variables: str) -> Footfall:
    """A function that runs `footfall ARGUMENTS…` on this warehouse and returns what came of it."""
    environment = environment_of(warehouse, **variables)

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "cli.main", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    return run


@pytest.fixture
def footfall(warehouse: Warehouse) -> Footfall:
    return footfall_of(warehouse)
