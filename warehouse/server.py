"""The local server: a real ClickHouse that lives as long as somebody needs it.

`python -m warehouse.server HOME` is the server process; `running_server` is how commands get at it. Every command
holds a shared lock on the home's lease file while it uses the server. Once the server can take that lock for itself,
nobody uses it: it shuts down cleanly and ends. So nothing is left behind, however a command dies, and several
commands can share one server.
"""

import fcntl
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from warehouse import ports
from warehouse.access import User
from warehouse.errors import FootfallError
from warehouse.server_files import ServerFiles, prepare_files, read_endpoint, write_endpoint

# A start takes 0.2 to 0.9 s; much longer after a crash with much to check, or on a busy machine.
_START_SECONDS = 90.0
# How long a command waits for a shutdown to end: usually well under a second, a third of this at most.
_STOP_SECONDS = 60.0
# How long a server that is started again waits for statements and for clients that stay connected.
_RESTART_SECONDS = 3.0
_POLL_SECONDS = 0.3
# How long the server stays although nobody holds the lease: commands typed one after another share one start.
_GRACE_SECONDS = 1.0


@dataclass(frozen=True)
class Endpoint:
    """Where a local server answers, always on 127.0.0.1."""

    http_port: int
    tcp_port: int


@contextmanager
def running_server(
    home: Path, http_port: int, tcp_port: int, users: Callable[[], Sequence[User]] = tuple
) -> Iterator[Endpoint]:
    """The server of `home`, running for as long as the block lasts; if it is started, with these users.

    Attaches to the one that already runs (on whatever ports it was started), else starts one on the ports given.
    Raises FootfallError if it cannot be started: port taken, data in use, disk full, ...
    """
    files = ServerFiles.of_home(home)
    try:
        files.folder.mkdir(parents=True, exist_ok=True)
        lease = files.lease.open("a")
    except OSError as error:
        raise FootfallError(
            f"The folder for local state, {home}, cannot be used: {error.strerror}.",
            "Set FOOTFALL_HOME to a folder you may write to.",
        ) from error
    with lease:
        _lock_within(lease, fcntl.LOCK_SH, _STOP_SECONDS, files, "is shutting down and does not end")
        with files.starting.open("a") as starting:
            _lock_within(starting, fcntl.LOCK_EX, _START_SECONDS, files, "is being started and does not answer")
            endpoint = _attach(files) or _start(home, files, Endpoint(http_port, tcp_port), users)
        yield endpoint


def is_running(home: Path) -> bool:
    """Whether the server of `home` runs or is starting; starts none."""
    running = ServerFiles.of_home(home).running
    return running.exists() and _is_locked(running)


def restart(home: Path) -> None:
    """Starts the server of `home` again in place, on the same ports, if it runs: it reads its users only at the start.

    Statements that run are broken off: callers hold the writer's lock. Raises FootfallError if it does not come back.
    """
    files = ServerFiles.of_home(home)
    if not is_running(home):
        return
    process = int(files.running.read_text())
    began = files.start_log.stat().st_mtime_ns
    os.kill(process, signal.SIGHUP)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        recorded = read_endpoint(files)
        if files.start_log.stat().st_mtime_ns != began and recorded and _answers(Endpoint(*recorded)):
            return
        time.sleep(0.03)
    raise _start_failure(files, f"has not answered within {_START_SECONDS:.0f} s after a restart")


def _lock_within(file: IO[str], how: int, seconds: float, files: ServerFiles, trouble: str) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise FootfallError(
                    f"The local warehouse in {files.folder} {trouble} after {seconds:.0f} s.",
                    f"Its log is {files.log}. Try again, or end the process that holds {file.name}.",
                ) from None
            time.sleep(0.05)


def _is_locked(path: Path) -> bool:
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
        except BlockingIOError:
            return True


def _answers(endpoint: Endpoint) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{endpoint.http_port}/ping", timeout=5) as answer:
            return bool(answer.status == 200 and answer.read() == b"Ok.\n")
    except (OSError, urllib.error.URLError):
        return False


def _attach(files: ServerFiles) -> Endpoint | None:
    """The endpoint of the server that runs, once it answers; None if no server runs (any more)."""
    deadline = time.monotonic() + _START_SECONDS
    while _is_locked(files.running):
        recorded = read_endpoint(files)
        if recorded and _answers(Endpoint(*recorded)):
            return Endpoint(*recorded)
        if time.monotonic() > deadline:
            raise FootfallError(
                f"A server process holds the local warehouse in {files.folder} but has not answered for"
                f" {_START_SECONDS:.0f} s.",
                f"Look at its log, {files.log}; ending that process and running this again starts a fresh one.",
            )
        time.sleep(0.05)
    return None


def _start(home: Path, files: ServerFiles, endpoint: Endpoint, users: Callable[[], Sequence[User]]) -> Endpoint:
    for variable, port in (("FOOTFALL_HTTP_PORT", endpoint.http_port), ("FOOTFALL_TCP_PORT", endpoint.tcp_port)):
        ports.require_free(
            port,
            "the local warehouse",
            f"Set {variable} to a free port, or CLICKHOUSE_HOST to use a server that already runs.",
        )
    if endpoint.http_port == endpoint.tcp_port:
        raise FootfallError(
            f"FOOTFALL_HTTP_PORT and FOOTFALL_TCP_PORT are both {endpoint.http_port}.", "Give them different ports."
        )
    try:
        prepare_files(files, endpoint.http_port, endpoint.tcp_port, users())
        write_endpoint(files, endpoint.http_port, endpoint.tcp_port)
        with files.start_log.open("w") as start_log:
            # A session of its own: Ctrl-C in the terminal is for the command, which ends the server by ending.
            process = subprocess.Popen(
                [sys.executable, "-m", "warehouse.server", str(home)],
                cwd=Path(__file__).resolve().parent.parent,
                env=os.environ | {"TZ": "UTC"},  # whatever the machine's own zone: days are UTC days
                stdin=subprocess.DEVNULL,
                stdout=start_log,
                stderr=start_log,
                start_new_session=True,
            )
    except OSError as error:
        raise FootfallError(
            f"The local warehouse cannot be started in {files.folder}: {error.strerror}.",
            "Make room there, or set FOOTFALL_HOME to another folder.",
        ) from error
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise _start_failure(files, "ended while starting")
        if _is_locked(files.running) and _answers(endpoint):
            return endpoint
        time.sleep(0.03)
    process.terminate()
    raise _start_failure(files, f"has not answered within {_START_SECONDS:.0f} s")


def _start_failure(files: ServerFiles, what: str) -> FootfallError:
    output = _last_lines(files.start_log) or _last_lines(files.log)
    if "Cannot lock file" in output:
        return FootfallError(
            f"Another process uses the data of the local warehouse in {files.data}.",
            "End that process, or set FOOTFALL_HOME to another folder.",
        )
    return FootfallError(
        f"The local warehouse {what}. Its last output:\n{output}",
        f"The whole log is in {files.log} and {files.start_log}.",
    )


def _last_lines(path: Path, lines: int = 8) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 8000))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.strip().splitlines()[-lines:])


def serve(home: Path, inherited: int | None = None) -> int:
    """The server process: runs until nobody holds the lease, or until SIGTERM or SIGINT; SIGHUP starts it again.

    Returns 0 after a clean shutdown that was asked for, 1 if the engine stopped by itself (why is on stderr).
    `inherited` is the descriptor of the lock that says it runs, if it was started again.
    """
    files = ServerFiles.of_home(home)
    if inherited is None:
        running = files.running.open("a")
        # An attaching command looks at this lock by taking it shared for a moment; hence the few tries.
        _lock_within(running, fcntl.LOCK_EX, 2.0, files, "is already running")
        running.truncate(0)
        running.write(str(os.getpid()))
        running.flush()
    else:
        running = os.fdopen(inherited, "a")
        os.utime(files.start_log)

    # The engine's last statement reads fd 0 to its end: closing our side of the pipe is the clean shutdown.
    read_end, write_end = os.pipe()
    os.dup2(read_end, 0)
    os.close(read_end)
    stop, again = threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def start_again(*_: object) -> None:
        again.set()
        stop.set()

    signal.signal(signal.SIGHUP, start_again)

    # The engine takes config.xml from the folder it is started in.
    os.chdir(files.folder)
    engine = threading.Thread(target=_run_engine, args=(files,), name="engine", daemon=True)
    engine.start()
    lease = files.lease.open("a")
    idle_since = time.monotonic()
    while engine.is_alive() and not stop.wait(_POLL_SECONDS):
        if _take(lease):
            if time.monotonic() - idle_since > _GRACE_SECONDS:
                break
            fcntl.flock(lease, fcntl.LOCK_UN)
        else:
            idle_since = time.monotonic()
    asked_for = engine.is_alive()
    os.close(write_end)
    engine.join(_RESTART_SECONDS if again.is_set() else _STOP_SECONDS / 3)
    if again.is_set():
        # Whether the engine has ended or waits for clients that stay connected: the new program takes its place, and
        # nothing is lost. It finds the ports and the data free.
        kept = running.fileno()
        os.set_inheritable(kept, True)
        os.chdir(Path(__file__).resolve().parent.parent)
        os.closerange(3, kept)
        os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))
        os.execv(sys.executable, [sys.executable, "-m", "warehouse.server", str(home), str(running.fileno())])
    if engine.is_alive():
        # A statement of a command that died keeps the engine busy. Nothing is lost: it survives being killed.
        os._exit(0)
    return 0 if asked_for else 1


def _take(lease: IO[str]) -> bool:
    try:
        fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def _run_engine(files: ServerFiles) -> None:
    # The extension module alone: the chdb package around it offers no way to open the ports.
    package = importlib.util.find_spec("chdb")
    if package is None or not package.submodule_search_locations:
        print("the package chdb-core, which holds the ClickHouse engine, is not installed", file=sys.stderr)
        return
    library = next(Path(package.submodule_search_locations[0]).glob("_chdb*.so"))
    spec = importlib.util.spec_from_file_location("_chdb", library)
    assert spec is not None and spec.loader is not None
    engine = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(engine)
    # TabSeparated becomes the default format of HTTP answers, as clients expect it from a server.
    result = engine.query(
        "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP;"
        " SELECT count() FROM file('-', 'LineAsString', 'l String') FORMAT Null",
        "TabSeparated",
        path=str(files.data),
    )
    if result.has_error():
        print(result.error_message().split(", Stack trace")[0], file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else None))
