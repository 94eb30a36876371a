"""Loads and builds that are killed at random moments and then simply run again.

Beside it an undisturbed warehouse gets the same files and is built in one process that nobody kills.
"""

import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from tests.exactness.builds import Builder, beside
from tests.exactness.stories import File, event
from tests.survival.processes import dbt_builds, kill, server_of, wait_until
from warehouse.connection import Warehouse, connect
from warehouse.settings import Settings

ROOT = Path(__file__).parents[2]
EVENTS_PER_FILE = 60
# What a command says on its way, on stderr; '' is its start.
START, BUILDING, CHECKED = "", "Building:", "Great Expectations:"
# Much longer than anything takes: a command that hangs is a failure, too.
PATIENCE = 300.0


@dataclass(frozen=True)
class Blow:
    """Who is killed (command, dbt or warehouse), and when: this share of the time from a sentence to the end."""

    victim: str
    after: str
    share: float

    def __str__(self) -> str:
        return f"{self.victim} {self.share:.0%} of the way from {self.after or 'the start'!r} to the end"


@dataclass(frozen=True)
class Round:
    """A file, the blows at its load and those at the build that follows."""

    file: File
    at_load: tuple[Blow, ...] = ()
    at_build: tuple[Blow, ...] = ()


def random_round(rng: random.Random, number: int) -> Round:
    """A round with one blow at the load and one or two at the build; every third file replaces an earlier one.

    Round 0 is undisturbed, so that it is known how long things take here.
    """
    name = f"events-{number if number % 3 else number // 2}.ndjson"
    file = File("events", name, [event(rng) for _ in range(EVENTS_PER_FILE)])
    if number == 0:
        return Round(file)
    at_load = (Blow(rng.choice(["command", "warehouse"]), START, rng.random()),)
    at_build = []
    for _ in range(rng.choice([1, 1, 2])):
        victim = rng.choice(["command", "dbt", "warehouse"])
        after = BUILDING if victim == "dbt" else rng.choice([START, BUILDING, CHECKED])
        at_build.append(Blow(victim, after, rng.random()))
    return Round(file, at_load, tuple(at_build))


@dataclass
class Home:
    """A footfall home of its own, its files and the undisturbed warehouse beside it on the same server."""

    settings: Settings
    folder: Path
    undisturbed: Builder | None = None
    not_yet_there: list[File] = field(default_factory=list)
    # By command and sentence: the seconds from there to the end when nobody disturbed it.
    seconds: dict[tuple[str, str], float] = field(default_factory=dict)
    blows: int = 0
    # Blows after which the command did not end well.
    wounds: int = 0

    def suffer(self, each: Round) -> None:
        """Load and build with all blows; after the last one each command is run to a good end."""
        path = self.folder / each.file.name
        self.folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in each.file.rows))
        self._run_with(each.at_load, "load", "events", "--replace", str(path))
        self._run_with(each.at_build, "build")
        self.not_yet_there.append(each.file)

    def differences(self) -> list[str]:
        """Bring the undisturbed warehouse up to date; then what is different, in the ledger or in a published table."""
        with connect(self.settings) as warehouse:
            if self.undisturbed is None:
                self.undisturbed = Builder(beside(warehouse, "undisturbed"), self.folder / "undisturbed")
            for file in self.not_yet_there:
                self.undisturbed.load(file)
            self.not_yet_there.clear()
            self.undisturbed.build(test=False)
            disturbed = Builder(warehouse, self.folder / "disturbed")
            found = disturbed.differences(self.undisturbed)
            ours, theirs = _standing(warehouse), _standing(self.undisturbed.warehouse)
        return found + [f"raw.loads: {row}" for row in sorted(set(ours) ^ set(theirs))]

    def _run_with(self, blows: tuple[Blow, ...], *arguments: str) -> None:
        for blow in blows:
            self._strike(blow, *arguments)
        code, said = self._run(*arguments)
        told = "; ".join(map(str, blows))
        assert code == 0, f"footfall {' '.join(arguments)}, run again after {told}, ended with {code}: {said}"
        assert "Traceback" not in said, said

    def _start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        foreign = ("CLICKHOUSE_", "DAGSTER_", "FOOTFALL_")
        variables = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        variables |= {
            "FOOTFALL_HOME": str(self.settings.home),
            "FOOTFALL_HTTP_PORT": str(self.settings.http_port),
            "FOOTFALL_TCP_PORT": str(self.settings.tcp_port),
        }
        with self._said.open("wb") as said:
            return subprocess.Popen(
                [sys.executable, "-m", "cli.main", *arguments],
                cwd=ROOT, env=variables, stdout=said, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def _run(self, *arguments: str) -> tuple[int, str]:
        """Undisturbed: what it ended with and said. Notes how long it takes from each sentence to the end."""
        command = self._start(*arguments)
        met: dict[str, float] = {}
        try:
            deadline = time.monotonic() + PATIENCE
            while command.poll() is None and time.monotonic() < deadline:
                said = self._said.read_text()
                met |= {s: time.monotonic() for s in (START, BUILDING, CHECKED) if s in said and s not in met}
                time.sleep(0.02)
        finally:
            command.kill()
        self.seconds |= {(arguments[0], sentence): time.monotonic() - at for sentence, at in met.items()}
        return command.wait(), self._said.read_text()

    def _strike(self, blow: Blow, *arguments: str) -> None:
        command = self._start(*arguments)
        try:
            wait_until(lambda: blow.after in self._said.read_text() or command.poll() is not None, PATIENCE)
            time.sleep(blow.share * self.seconds[arguments[0], blow.after])
            # Whoever has ended already, or has not begun yet, is not hurt.
            for pid in self._pids(blow.victim, command.pid):
                kill(pid)
            # Of dbt's or the warehouse's end the command must hear, and end itself.
            if blow.victim == "command":
                command.kill()
            code = command.wait(PATIENCE)
        finally:
            command.kill()
        self.blows += 1
        self.wounds += code != 0

    def _pids(self, victim: str, command: int) -> list[int]:
        if victim == "dbt":
            return dbt_builds(command)
        return server_of(self.settings.home) if victim == "warehouse" else [command]

    @property
    def _said(self) -> Path:
        return self.folder / "said.txt"


def _standing(warehouse: Warehouse) -> list[tuple[str, str, int, int]]:
    """The loads that stand, by the names of their files, and how many rows each says it has and has."""
    with warehouse.client(warehouse.settings.raw_database) as client:
        rows = client.query(
            """
            select loads.path, loads.status, loads.rows_accepted, count(events.event_id) as found
            from loads final
            left join events on events.load_id = loads.load_id
            where loads.status = 'committed'
            group by loads.load_id, loads.path, loads.status, loads.rows_accepted
            """
        ).result_rows
    return [(Path(path).name, status, accepted, found) for path, status, accepted, found in rows]
