"""`footfall forget` killed (kill -9) at random moments: the same command finishes it, and nothing of the person is left."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from privacy import requests, search
from tests.cli.conftest import ROOT, environment_of, footfall_of
from tests.conftest import drop
from tests.exactness.builds import Builder, beside
from tests.exactness.stories import File
from tests.privacy.test_forget import ANONYMOUS, CANARIES, EVES, MAPPINGS, OTHERS, REJECTED
from warehouse.connection import Warehouse

SEED = 12
# An erasure sends some ninety statements beside those of its build, most of them in its purge; a run that finds part of
# it done sends fewer.
MOMENTS = sorted(random.Random(SEED).sample(range(8, 90), 6))

# Kills itself before or after it has sent a statement: the one of this number among those outside or inside of builds.
KILLED = """
import os, signal, sys
from clickhouse_connect.driver.httpclient import HttpClient
import cli.forget
number, is_building, is_after = int(sys.argv[1]), False, int(sys.argv[1]) % 2
ask, build = HttpClient._raw_request, cli.forget.build
def counting(*arguments, **named):
    global number
    number -= sys.argv[2] == ("inside" if is_building else "outside")
    if number == 0 and not is_after:
        os.kill(os.getpid(), signal.SIGKILL)
    answer = ask(*arguments, **named)
    if number == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer
def building(*arguments, **named):
    global is_building
    is_building = True
    try:
        return build(*arguments, **named)
    finally:
        is_building = False
HttpClient._raw_request, cli.forget.build = counting, building
from cli.main import cli
cli(sys.argv[3:])
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_erasure_that_was_killed_is_finished_by_the_same_command(
    warehouse: Warehouse, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = warehouse.settings.home
    variables = {"DAGSTER_HOME": str(tmp_path / "dagster")}
    builder = Builder(warehouse, home / "landing" / "events" / "2026-03-02")
    builder.load(File("events", "all.ndjson", [*OTHERS, *EVES, *REJECTED]))
    builder.load(File("identity_mappings", "mappings.ndjson", MAPPINGS))
    builder.build(test=False)
    forget = ["forget", "--tenant", "shop", "--user", ANONYMOUS]

    struck = []
    for number, where in [(MOMENTS[0], "outside"), (30, "inside"), *((moment, "outside") for moment in MOMENTS[1:])]:
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(number), where, *forget],
            cwd=ROOT, env=environment_of(warehouse, **variables), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        struck.append(done.returncode != 0)
    assert sum(struck) >= 4, f"most blows must land, or nothing was shown: {struck}"
    finished = footfall_of(warehouse, **variables)(*forget)
    assert finished.returncode == 0, finished.stderr

    with warehouse.client() as client:
        assert list(search.in_tables(client, "raw", "shop", CANARIES)) == []
        assert client.query("SELECT count() FROM raw.erased_rows").first_row == (0,)
    assert list(search.in_files(home, "shop", CANARIES)) == []
    assert requests.standing(home) == []
    never = Builder(beside(warehouse, "never"), tmp_path_factory.mktemp("never"))
    never.load(File("events", "others.ndjson", OTHERS))
    never.load(File("identity_mappings", "mappings.ndjson", MAPPINGS[2:]))
    never.build(test=False)
    try:
        assert builder.differences(never) == []
    finally:
        drop(never.warehouse)
