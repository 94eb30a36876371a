"""Runs the job `build_warehouse` in this process, recorded in the same Dagster home as the runs of the UI."""

import gc
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
"""


@dataclass(frozen=True)
class BuildOutcome:
    """How the job ended: the errors of the steps that failed, and how many seconds each step took."""

    success: bool
    run_id: str
    errors: tuple[str, ...] = ()
    step_seconds: Mapping[str, float] = field(default_factory=dict)


def dagster_home(settings: Settings) -> Path:
    """The folder of the Dagster instance: DAGSTER_HOME if set, else in our home, with a dagster.yaml made for it."""
    given = os.environ.get("DAGSTER_HOME")
    folder = Path(given).absolute() if given else settings.home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "dagster.yaml").exists():
        (folder / "dagster.yaml").write_text(_INSTANCE, encoding="utf-8")
    return folder


def run_build(settings: Settings, *, full_refresh: bool) -> BuildOutcome:
    """Run the job to its end. A failure is in the outcome, not raised; progress goes to `orchestration.said`."""
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
                "ops": {"build_models": {"config": {"full_refresh": full_refresh}}},
                "resources": {"warehouse": {"config": {"wait_seconds": 0.0}}},
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
        errors=tuple(_cause(error) for error in failures if error is not None),
        step_seconds={
            event.step_key: event.step_success_data.duration_ms / 1000
            for event in events
            if event.is_step_success and event.step_key is not None
        },
    )


def _cause(error: "SerializableErrorInfo") -> str:
    """The innermost error's own words: what Dagster wraps around it says nothing to a person."""
    while error.cause is not None:
        error = error.cause
    return re.sub(r"^[\w.]+: ", "", str(error.message).strip())
