"""A command that is killed takes its dbt with it; and of two builds at once the second says who is first."""

import shutil
import signal
from pathlib import Path

import dagster as dg
import pytest

from orchestration import build_log
from tests.orchestration.conftest import TINY, commit_load, published_people, start
from tests.survival.processes import dbt_builds, is_alive, wait_until
from warehouse.connection import Warehouse


def test_killed_builds_leave_no_dbt_and_two_builds_do_not_meet(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Path(shutil.copytree(TINY, tmp_path / "project"))
    # Long enough to be met at work: a third of a second for each of its rows.
    (project / "models" / "slow.sql").write_text(
        "select sleepEachRow(0.3) as slept, (select to_seq from {{ ref('int_build_range') }}) as to_seq"
        " from numbers(15) settings max_block_size = 1"
    )
    commit_load(warehouse, 1, "ada")

    first = start(warehouse, project, "build")
    try:
        assert wait_until(lambda: dbt_builds(first.pid) != [], 120)
        dbt = dbt_builds(first.pid)
        second = start(warehouse, project, "build")
        _, said = second.communicate(timeout=120)
        assert second.returncode == 1
        assert f"Another footfall command is writing to this warehouse (pid {first.pid}, since" in said
        assert "Traceback" not in said
        assert all(is_alive(pid) for pid in dbt), "dbt ended before it could be orphaned"
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate()
    assert wait_until(lambda: not any(is_alive(pid) for pid in dbt), 5), "dbt outlived the command that started it"

    again = start(warehouse, project, "build")
    try:
        _, said = again.communicate(timeout=240)
    finally:
        again.kill()
    assert again.returncode == 0, said
    assert published_people(warehouse) == ["ada"]
    logged = build_log.builds(warehouse)
    assert [build.status for build in logged] == ["published", "failed"]
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    with dg.DagsterInstance.get() as instance:
        runs = {run.run_id: run.status.value for run in instance.get_runs()}
    assert sorted(runs.values()) == ["FAILURE", "SUCCESS"], f"a killed run must not seem to run for ever: {logged}"
