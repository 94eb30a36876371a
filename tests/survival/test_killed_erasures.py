"""`footfall forget` killed (kill -9) at random moments: the same command finishes it, and nobody is brought back."""

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
# Beside those of its build an erasure sends some ninety statements: a moment by chance in each sixth of them.
_CHANCE = random.Random(SEED)
MOMENTS = [_CHANCE.randint(sixth * 15 + 1, sixth * 15 + 15) for sixth in range(6)]

# Kills itself before or after it has sent a statement: the one of this number since the commit began, among those of
# the build or among the others.
KILLED = """
import os, signal, sys
import cli.forget, cli.main
from privacy import erasure
from urllib3 import PoolManager
number, kind, doing = int(sys.argv[1]), sys.argv[2], "nothing yet"
is_after = number % 2
def counting(*arguments, **named):
    global number
    number -= kind == doing
    if number == 0 and not is_after:
        os.kill(os.getpid(), signal.SIGKILL)
    answer = ask(*arguments, **named)
    if number == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer
def doing_this(what, function):
    def run(*arguments, **named):
        global doing
        doing = what
        try:
            return function(*arguments, **named)
        finally:
            doing = "erasure"
    return run
ask, PoolManager.request = PoolManager.request, counting
erasure._commit, cli.forget.build = doing_this("erasure", erasure._commit), doing_this("build", cli.forget.build)
cli.main.cli(sys.argv[3:])
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

    # the first dies while it commits, the second while it builds
    blows = [(MOMENTS[0], "erasure"), (30, "build"), *((moment, "erasure") for moment in MOMENTS[1:])]
    struck = []
    for number, where in blows:
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
