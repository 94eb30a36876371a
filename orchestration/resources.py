"""What the assets work with: the warehouse, locked for the length of a run, and dbt."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib import metadata
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource
from packaging.version import Version
from pydantic import Field, PrivateAttr

from orchestration.project import dbt_command, environment, project_dir
from warehouse.connection import Warehouse, connect
from warehouse.lock import exclusive
from warehouse.settings import get_settings


class WarehouseResource(dg.ConfigurableResource):
    """The warehouse of the environment, for this run alone: one writer at a time.

    All steps of a run share one process and so one lock; the lock goes when that process does.
    """

    wait_seconds: float = Field(
        default=900.0,
        description="How long a run waits for another command or run that is writing, before it fails. A run that a "
        "schedule starts can wait; a person at a terminal would rather know.",
    )
    _open: Warehouse | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["WarehouseResource"]:
        """Connect and lock for as long as the run lasts; raises FootfallError if someone else is writing."""
        settings = get_settings()
        doing = context.run.job_name if context.run else "a Dagster run"
        with connect(settings) as warehouse, exclusive(settings, doing, self.wait_seconds):
            self._open = warehouse
            try:
                yield self
            finally:
                self._open = None

    def get(self) -> Warehouse:
        """The connected warehouse."""
        assert self._open is not None, "the warehouse is connected while a run lasts"
        return self._open


class DbtResource(DbtCliResource):
    """dagster-dbt's resource, without two things it does before each call: together they take 4 s, and nothing here
    needs them. The version comes from the installed package rather than from `dbt --version`; and there is no dbt
    adapter in this process: the row counts it would fetch are asked of the warehouse directly.
    """

    @cached_property
    def _cli_version(self) -> Version:
        return Version(metadata.version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:
        return None


def dbt_resource() -> DbtResource:
    """Footfall's dbt: the one of this Python environment, on the project of this repository."""
    project = str(project_dir())
    python, *process = dbt_command()
    return DbtResource(project_dir=project, profiles_dir=project, dbt_executable=python, global_config_flags=process)


@contextmanager
def dbt_environment(warehouse: Warehouse) -> Iterator[None]:
    """Within the block a dbt process that is started finds this warehouse and keeps its artifacts in the home."""
    before = dict(os.environ)
    os.environ.update(warehouse.environment() | environment(warehouse.settings))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
