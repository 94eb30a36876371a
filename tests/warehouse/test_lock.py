"""One writer per warehouse: among the commands of one home, and among homes that share a server."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ingest import ledger, raw_tables
from tests.warehouse.store import Store
from warehouse import lease, publishing
from warehouse.connection import Warehouse, connect
from warehouse.errors import FootfallError
from warehouse.lock import exclusive
from warehouse.settings import Settings

# Says "held" once it holds the lock, then waits for a line; what it then does is the second argument.
HOLDER = """
import signal
import sys
from warehouse import lease, publishing
from warehouse.connection import connect
from warehouse.errors import FootfallError
from warehouse.lock import exclusive
from warehouse.settings import get_settings
lease.STALE_SECONDS = float(sys.argv[1])
# whatever the process that runs the tests was begun with
handler = signal.default_int_handler if sys.argv[3] == "SIG_DFL" else signal.SIG_IGN
signal.signal(signal.SIGINT, handler)
try:
    with connect(get_settings()) as warehouse, exclusive(warehouse, "load events"):
        print("held", flush=True)
        sys.stdin.readline()
        if sys.argv[2] == "publish":
            publishing.publish(warehouse)
except FootfallError as error:
    raise SystemExit(str(error))
"""


@contextmanager
def holder(
    warehouse: Warehouse, home: Path, stale: float = 60, then: str = "", interrupts: str = "SIG_DFL"
) -> Iterator[subprocess.Popen[str]]:
    """A process of another home (or of this one) that writes to the same server."""
    environment = os.environ | warehouse.environment() | {"FOOTFALL_HOME": str(home)}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(stale), then, interrupts], env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def elsewhere(warehouse: Warehouse, tmp_path: Path) -> Iterator[Warehouse]:
    """The same server, as the commands of another home see it."""
    home = tmp_path / "elsewhere"
    settings = Settings(home=home, host=warehouse.host, port=warehouse.port, user=warehouse.user)
    with connect(settings.model_copy(update={"password": warehouse.password})) as there, closing(there):
        yield there


def test_the_second_of_a_home_is_told_who_writes_and_kill_9_frees_it_at_once(warehouse: Warehouse) -> None:
    with holder(warehouse, warehouse.settings.home) as process:
        with pytest.raises(FootfallError) as caught, exclusive(warehouse, "build"):
            pass
        assert f"(pid {process.pid}, since " in caught.value.message
        assert caught.value.message.endswith(": load events.")
        process.kill()
        process.wait()
        with exclusive(warehouse, "build"):
            pass


def test_waiting_gets_the_lock_once_it_is_free(warehouse: Warehouse) -> None:
    with holder(warehouse, warehouse.settings.home) as process:
        started = time.monotonic()
        with pytest.raises(FootfallError), exclusive(warehouse, "build", wait_seconds=0.5):
            pass
        assert time.monotonic() - started >= 0.5
        process.kill()
        with exclusive(warehouse, "build", wait_seconds=10):
            pass


def test_the_second_home_is_told_who_writes_and_gets_its_turn(warehouse: Warehouse, elsewhere: Warehouse) -> None:
    with exclusive(warehouse, "a long load"):
        with pytest.raises(FootfallError) as caught, exclusive(elsewhere, "build", wait_seconds=0.5):
            pass
        assert f"(pid {os.getpid()} on " in caught.value.message
        assert caught.value.message.endswith(": a long load.")
        assert "its lease ends 60 s after that" in caught.value.next_step
        held = lease.holder_of(elsewhere)
        assert held is not None
        assert held.doing == "a long load"
    assert lease.holder_of(elsewhere) is None
    with exclusive(elsewhere, "build"), pytest.raises(FootfallError, match="build"), exclusive(warehouse, "load"):
        pass


def test_a_living_holder_keeps_the_lease_however_long_it_takes(
    warehouse: Warehouse, elsewhere: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "STALE_SECONDS", 3.0)
    with exclusive(elsewhere, "a long load"), pytest.raises(FootfallError), exclusive(warehouse, "build", 6.0):
        pass


def test_after_a_kill_another_home_takes_over_once_the_holder_is_silent_for_too_long(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    with holder(warehouse, tmp_path / "elsewhere", stale=3) as process:
        process.kill()
        process.wait()
        started = time.monotonic()
        with pytest.raises(FootfallError, match="load events"), exclusive(warehouse, "build"):
            pass
        with exclusive(warehouse, "build", wait_seconds=60):
            assert time.monotonic() - started > 1


def test_a_writer_that_slept_too_long_publishes_nothing(store: Store, tmp_path: Path) -> None:
    store.publish(1, "users")
    publishing.prepare(store.warehouse)
    store.build(2, "users")
    with holder(store.warehouse, tmp_path / "elsewhere", stale=2, then="publish") as process:
        process.send_signal(signal.SIGSTOP)
        with exclusive(store.warehouse, "build", wait_seconds=60):
            process.send_signal(signal.SIGCONT)
            _, errors = process.communicate("\n", timeout=60)
            assert "another one writes to this warehouse now" in errors
            assert process.returncode == 1
    assert store.versions("users") == [1]


@pytest.mark.parametrize(("interrupts", "ended"), [("SIG_DFL", 1), ("SIG_IGN", -signal.SIGTERM)])
def test_a_writer_that_slept_too_long_is_interrupted_at_what_it_does(
    warehouse: Warehouse, tmp_path: Path, interrupts: str, ended: int
) -> None:
    # A shell has commands in the background ignore Ctrl-C.
    with holder(warehouse, tmp_path / "elsewhere", stale=2, interrupts=interrupts) as process:
        process.send_signal(signal.SIGSTOP)
        with exclusive(warehouse, "build", wait_seconds=60):
            process.send_signal(signal.SIGCONT)
            assert process.wait(60) == ended  # without a line on its stdin


def test_nothing_is_committed_without_the_lease(
    warehouse: Warehouse, elsewhere: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw_tables.create(warehouse)
    raw = warehouse.settings.raw_database
    load = ledger.new_load("events", "/a.csv")
    with warehouse.client() as client:
        with exclusive(warehouse, "load"):
            assert ledger.commit(client, raw, load).load_seq == 1
            # Somebody else has it, and this process has not noticed yet.
            client.command("INSERT INTO raw.writer_lease (lease, step, instead_of) SELECT 'x', 'take', [lease]"
                           " FROM raw.writer_lease WHERE step = 'take'")  # fmt: skip
            with pytest.raises(FootfallError, match="another one writes"):
                ledger.commit(client, raw, load)
            monkeypatch.setattr(os, "kill", lambda *_: None)
        assert client.query("SELECT max(load_seq) FROM raw.loads").first_row == (1,)


def test_of_many_that_try_at_once_one_at_a_time_holds_the_lease(warehouse: Warehouse, tmp_path: Path) -> None:
    # Each home of its own, so that only the lease keeps them apart.
    turns: list[tuple[str, int]] = []

    def take_turns(number: int) -> None:
        settings = Settings(
            home=tmp_path / str(number), host=warehouse.host, port=warehouse.port, user=warehouse.user,
            password=warehouse.password,
        )  # fmt: skip
        with connect(settings) as there:
            for _ in range(5):
                with exclusive(there, f"writer {number}", wait_seconds=120):
                    turns.append(("begin", number))
                    time.sleep(0.005)
                    turns.append(("end", number))

    threads = [threading.Thread(target=take_turns, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(turns) == 60
    for begin, end in zip(turns[::2], turns[1::2], strict=True):
        assert (begin[0], end) == ("begin", ("end", begin[1]))


def test_the_log_stays_short(warehouse: Warehouse, elsewhere: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_LONG_LOG", 20)
    for _ in range(12):
        with exclusive(warehouse, "load"):
            pass
    with exclusive(warehouse, "build"), pytest.raises(FootfallError, match="build"), exclusive(elsewhere, "load"):
        pass
    with warehouse.client() as client:
        assert client.query("SELECT count() FROM raw.writer_lease").first_row[0] < 20


def test_taking_turns_costs_little(warehouse: Warehouse) -> None:
    with exclusive(warehouse, "makes the table"):
        pass
    with warehouse.client() as client:
        before = client.query("SELECT value FROM system.events WHERE event = 'Query'").first_row[0]
        for _ in range(10):
            with exclusive(warehouse, "build"):
                pass
        after = client.query("SELECT value FROM system.events WHERE event = 'Query'").first_row[0]
    assert after - before <= 10 * 4 + 5  # each a few milliseconds


ON_A_FULL_DISK = """
import resource
from warehouse.connection import connect
from warehouse.lock import exclusive
from warehouse.settings import get_settings
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))  # no file may grow: a write is an OSError
with connect(get_settings()) as warehouse, exclusive(warehouse, "build"):
    raise SystemExit("what was to be done")
"""


def test_a_disk_without_room_for_the_note_hides_no_other_error(warehouse: Warehouse, tmp_path: Path) -> None:
    environment = os.environ | warehouse.environment() | {"FOOTFALL_HOME": str(tmp_path / "full")}
    done = subprocess.run(
        [sys.executable, "-c", ON_A_FULL_DISK], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == "what was to be done\n"


def test_an_error_inside_frees_the_lock(warehouse: Warehouse) -> None:
    with pytest.raises(ZeroDivisionError), exclusive(warehouse, "build"):
        raise ZeroDivisionError
    with exclusive(warehouse, "build"):
        pass
