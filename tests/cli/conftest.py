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


def footfall_of(warehouse: Warehouse, **variables: str) -> Footfall:
    """A function that runs `footfall ARGUMENTS…` on this warehouse and returns what came of it."""
    settings = warehouse.settings
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("CLICKHOUSE_", "DAGSTER_"))
    }
    environment |= {
        "FOOTFALL_HOME": str(settings.home),
        "FOOTFALL_RAW_DATABASE": settings.raw_database,
        "FOOTFALL_DATABASE": settings.database,
    }

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "cli.main", *arguments],
            cwd=ROOT,
            env=environment | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    return run


@pytest.fixture
def footfall(warehouse: Warehouse) -> Footfall:
    return footfall_of(warehouse)
