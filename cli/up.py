"""`footfall up`: the local warehouse and the Dagster UI, until Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cli.console import err, out
from ingest import landing_folder
from warehouse import ports
from warehouse.connection import Warehouse, connect
from warehouse.errors import FootfallError
from warehouse.server_files import ServerFiles
from warehouse.settings import Settings, get_settings

_ROOT = Path(__file__).parents[1]
# The first start parses the dbt project and makes the tables of the Dagster instance.
_START_SECONDS = 180.0
_STOP_SECONDS = 20.0
# How often the landing folder is looked at for a day before the first partition.
_LOOK_SECONDS = 30.0
_RELOAD = """mutation { reloadRepositoryLocation(repositoryLocationName: "footfall") { __typename } }"""


def run_up(*, warehouse_only: bool) -> None:
    """Run until Ctrl-C (or SIGTERM); raises FootfallError if the UI cannot be started or ends by itself."""
    settings = get_settings()
    with connect(settings) as warehouse:
        landing_folder.create(settings)
        try:
            if warehouse_only:
                _say_warehouse(warehouse)
                out().print("Ctrl-C ends it.")
                while True:
                    time.sleep(3600)
            with _dagster(settings) as dagster:
                _say_warehouse(warehouse)
                out().print(f"Dagster    http://127.0.0.1:{settings.ui_port}")
                out().print("Ctrl-C ends both.")
                code = _wait_for_end(dagster, settings)
            raise FootfallError(f"Dagster ended by itself (exit code {code}).", f"Its log is {_log(settings)}.")
        except KeyboardInterrupt:
            err().print("Stopped.")


def _say_warehouse(warehouse: Warehouse) -> None:
    scheme = "https" if warehouse.secure else "http"
    out().print(f"Warehouse  {scheme}://{warehouse.host}:{warehouse.port} (user {warehouse.user})")
    if warehouse.settings.is_local:
        password = ServerFiles.of_home(warehouse.settings.home).password
        out().print(f"           its password is in {password}; /play there is a query page")


def _log(settings: Settings) -> Path:
    return settings.home / "logs" / "dagster.log"


@contextmanager
def _dagster(settings: Settings) -> Iterator["subprocess.Popen[bytes]"]:
    """Webserver and daemon, once the UI answers; ended, with all their children, at the end of the block."""
    from orchestration.run import dagster_home

    ports.require_free(settings.ui_port, "the Dagster UI", "Set FOOTFALL_UI_PORT to a free port.")
    log = _log(settings)
    log.parent.mkdir(parents=True, exist_ok=True)
    err().print("Starting Dagster (some ten seconds)")
    address = ["--host", "127.0.0.1", "--port", str(settings.ui_port)]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster", "dev", "--workspace", str(_ROOT / "workspace.yaml"), *address],
            cwd=_ROOT,
            # Not the warehouse's own variables: its runs attach to the warehouse of this home, and take its lock.
            env={**os.environ, "FOOTFALL_HOME": str(settings.home), "DAGSTER_HOME": str(dagster_home(settings))},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Ctrl-C is ours to pass on, once.
            start_new_session=True,
        )
    try:
        _wait_for_ui(process, settings)
        yield process
    finally:
        _end(process)


def _wait_for_ui(process: "subprocess.Popen[bytes]", settings: Settings) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise FootfallError("Dagster ended while it was starting.", f"Its log is {_log(settings)}.")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{settings.ui_port}/server_info", timeout=5):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.3)
    raise FootfallError(f"Dagster has not answered for {_START_SECONDS:.0f} s.", f"Its log is {_log(settings)}.")


def _wait_for_end(process: "subprocess.Popen[bytes]", settings: Settings) -> int:
    """The exit code of Dagster, once it ends.

    Until then its partitions, which begin with the first landing day, are counted again when an earlier day appears.
    """
    landing = landing_folder.folder(settings)
    first = landing_folder.first_day(landing) or landing_folder.today()
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(_LOOK_SECONDS)
        now = landing_folder.first_day(landing) or first
        if now < first and _reload(settings):
            first = now


def _reload(settings: Settings) -> bool:
    """Have Dagster read its definitions again; whether it did."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{settings.ui_port}/graphql",
        data=json.dumps({"query": _RELOAD}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_START_SECONDS) as answer:
            return "WorkspaceLocationEntry" in answer.read().decode()
    except (OSError, urllib.error.URLError):
        return False


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
    # Whatever of its group is still there: `dagster dev` starts a webserver, a daemon and code servers.
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()
