import subprocess
import sys
import time
from pathlib import Path

import pytest

from warehouse.errors import FootfallError
from warehouse.lock import exclusive
from warehouse.settings import Settings

HOLDER = """
import sys, time
from warehouse.lock import exclusive
from warehouse.settings import Settings
with exclusive(Settings(home=sys.argv[1]), "load events"):
    print("held", flush=True)
    time.sleep(60)
"""


def hold_elsewhere(home: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(home)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_the_second_is_told_who_holds_the_lock_and_kill_9_frees_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    holder = hold_elsewhere(tmp_path)
    try:
        with pytest.raises(FootfallError) as caught, exclusive(settings, "build"):
            pass
        assert f"(pid {holder.pid}, since " in caught.value.message
        assert caught.value.message.endswith(": load events.")
    finally:
        holder.kill()
        holder.wait()
    with exclusive(settings, "build"):
        pass


def test_waiting_gets_the_lock_once_it_is_free(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    holder = hold_elsewhere(tmp_path)
    try:
        started = time.monotonic()
        with pytest.raises(FootfallError), exclusive(settings, "build", wait_seconds=0.5):
            pass
        assert time.monotonic() - started >= 0.5
    finally:
        holder.kill()
    with exclusive(settings, "build", wait_seconds=10):
        pass


def test_a_server_by_environment_is_guarded_too(tmp_path: Path) -> None:
    with exclusive(Settings(home=tmp_path), "build"):
        remote = Settings(home=tmp_path, host="warehouse.example")
        with pytest.raises(FootfallError, match="build"), exclusive(remote, "load events"):
            pass
    with exclusive(remote, "load events"):
        pass


ON_A_FULL_DISK = """
import resource, sys
from warehouse.lock import exclusive
from warehouse.settings import Settings
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))  # no file may grow: a write is an OSError
with exclusive(Settings(home=sys.argv[1]), "build"):
    raise SystemExit("what was to be done")
"""


def test_a_disk_without_room_for_the_note_hides_no_other_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ON_A_FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.stderr == "what was to be done\n"


def test_an_error_inside_frees_the_lock(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with pytest.raises(ZeroDivisionError), exclusive(settings, "build"):
        raise ZeroDivisionError
    with exclusive(settings, "build"):
        pass
