"""What the assets work with: the warehouse, locked for the length of a run."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from pydantic import Field, PrivateAttr

from warehouse.connection import Warehouse, connect
from warehouse.lock import exclusive
from warehouse.settings import get_settings

# The pool of everything that writes: its limit in `dagster.yaml` is one, so runs wait their turn in the queue.
WRITER_POOL = "warehouse_writer"


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
        with connect(settings) as warehouse, exclusive(warehouse, doing, self.wait_seconds):
            self._open = warehouse
            try:
                yield self
            finally:
                self._open = None

    def get(self) -> Warehouse:
        """The connected warehouse."""
        assert self._open is not None, "the warehouse is connected while a run lasts"
        return self._open
