"""Runs the job `build_warehouse` in this process, recorded in the same Dagster home as the runs of the UI."""

import gc
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.settings import Settings

if TYPE_CHECKING:
    import dagster as dg
    from dagster._utils.error import SerializableErrorInfo

_INSTANCE = """\
# The Dagster instance of this home. Runs, events and schedules are kept in SQLite files beside this file.
telemetry:
  enabled: false
nux:
  enabled: false
# SQLite files beside this one, as by default, but written faster.
storage:
  custom:
    module: orchestration.run_records
    class: RunRecords
    config:
      base_dir:
        env: DAGSTER_HOME
# for jobs that say how often
run_retries:
  enabled: true
# One writer at a time: runs of the same pool wait for each other in the queue.
concurrency:
  pools:
    granularity: run
    default_limit: 1
"""
# What earlier versions of Footfall wrote (SHA-256). Such a file is replaced; one that somebody changed is not.
_EARLIER_INSTANCES = {
    "9845045564f8045e787e1acbe1fc696e4cec42c718e3a99e249f7858cd35b480",
    "233b91b771aa59514daf39dac794907e1e6974fd34a07590f7e110f248b3adb3",
    "fe740e52d2782447f830211cfb7b21a5d719ddbb0817a4e97285659697ce7515",
    "cbe086a227589b7be0a238806a37bac2e240c5a7fcddc04d74c1c042de65a10d",
    "358614fbd82b24f61088aff80534495053f48353594a7a5f3d61ac6e65b4e225",
}


# How the parts of a build are called where their seconds are shown.
DBT, EXPECTATIONS, PUBLISH = "build and test (dbt)", "check (Great Expectations)", "publish"
RECORD = "record and draw"


@dataclass(frozen=True)
class BuildOutcome:
    """How the job ended: the errors of the steps that failed, and how many seconds each part of the build took."""

    success: bool
    run_id: str
    errors: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)


def dagster_home(settings: Settings) -> Path:
    """The folder of the Dagster instance: DAGSTER_HOME if set, else in our home, with a dagster.yaml of ours."""
    given = os.environ.get("DAGSTER_HOME")
    folder = Path(given).absolute() if given else settings.home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "dagster.yaml"
    if not file.exists() or hashlib.sha256(file.read_bytes()).hexdigest() in _EARLIER_INSTANCES:
        file.write_text(_INSTANCE, encoding="utf-8")
    return folder


def run_build(settings: Settings, *, full_refresh: bool, wait_seconds: float = 0.0) -> BuildOutcome:
    """Run the job to its end, after waiting so long for others that write.

    A failure is in the outcome, not raised; progress goes to `orchestration.progress`.
    """
    os.environ["DAGSTER_HOME"] = str(dagster_home(settings))
    gc.disable()  # nearly all that an import makes stays: looking for garbage among it takes a quarter of the time
    import dagster as dg

    from orchestration.definitions import defs

    gc.enable()
    with dg.DagsterInstance.get() as instance:
        result = defs.resolve_job_def("build_warehouse").execute_in_process(
            instance=instance,
            raise_on_error=False,
            run_config={
                "ops": {"build": {"config": {"full_refresh": full_refresh}}},
                "resources": {"warehouse": {"config": {"wait_seconds": wait_seconds}}},
            },
        )
        return _outcome(result)


def _outcome(result: "dg.ExecuteInProcessResult") -> BuildOutcome:
    import dagster as dg

    events = result.all_events
    failures = [event.step_failure_data.error for event in events if event.is_step_failure]
    if not failures:  # no step began: a resource did not come up, because someone else is writing, ...
        failures = [event.engine_event_data.error for event in events if event.is_resource_init_failure]
    if not failures:
        failures = [
            event.job_failure_data.error for event in events if event.event_type == dg.DagsterEventType.RUN_FAILURE
        ]
    return BuildOutcome(
        success=result.success,
        run_id=result.run_id,
        errors=tuple(cause(error) for error in failures if error is not None),
        seconds=_seconds(result),
    )


def _seconds(result: "dg.ExecuteInProcessResult") -> dict[str, float]:
    """The seconds of the parts of the build, which are in the record of `published`."""
    from orchestration.model_assets import PUBLISHED
    from orchestration.table_records import SECONDS

    return {
        name.removeprefix(SECONDS): float(entry.value)  # type: ignore[arg-type]
        for event in result.all_events
        if event.is_step_materialization and event.asset_key == PUBLISHED
        for name, entry in event.step_materialization_data.materialization.metadata.items()
        if name.startswith(SECONDS)
    }


def cause(error: "SerializableErrorInfo") -> str:
    """The innermost error's own words: what Dagster wraps around it says nothing to a person."""
    while error.cause is not None:
        error = error.cause
    return re.sub(r"^[\w.]+: ", "", str(error.message).strip())
