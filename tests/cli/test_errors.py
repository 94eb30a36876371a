"""Exit codes, and errors of one sentence with a next step."""

import errno
import sqlite3
import subprocess
import sys

import pytest

from cli.errors import first_clickhouse_line, report
from tests.cli.conftest import ROOT, Footfall


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("load", "events", "/no/such/file.json"), "'/no/such/file.json' does not exist"),
        (("load", "events"), "Missing argument 'PATHS...'"),
        (("load", "visits", "."), "No such command 'visits'"),
        (("build", "--fast"), "No such option"),
        (("load", "events", ".", "--map", "tenant"), "'tenant' is not of the form field=path"),
    ],
)
def test_a_request_that_makes_no_sense_ends_with_2(footfall: Footfall, arguments: tuple[str, ...], says: str) -> None:
    result = footfall(*arguments)
    assert result.returncode == 2
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    assert "--help" in result.stderr
    assert result.stdout == ""


def test_a_setting_nobody_can_use_ends_with_2() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "cli.main", "status"],
        cwd=ROOT,
        env={"FOOTFALL_HTTP_PORT": "many"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "FOOTFALL_HTTP_PORT" in result.stderr


def test_the_traceback_is_there_for_those_who_ask(footfall: Footfall) -> None:
    plain, verbose = footfall("rollback"), footfall("rollback", "--verbose")
    assert plain.returncode == verbose.returncode == 1
    assert "Traceback" not in plain.stderr
    assert "no previous version" in plain.stderr
    assert "Traceback" in verbose.stderr


def test_help_needs_no_warehouse_and_no_heavy_import() -> None:
    code = "import cli.main, sys; print({'dagster', 'dbt', 'clickhouse_connect', 'rich'} & sys.modules.keys())"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_a_server_error_is_its_first_line_without_version_and_address() -> None:
    wrapped = (
        "Received ClickHouse exception, code: 60, server response: Code: 60. DB::Exception: Unknown table nope."
        " (UNKNOWN_TABLE) (version 26.9.2.1) (for url http://127.0.0.1:1)\nStack trace:"
    )
    assert first_clickhouse_line(wrapped) == "Code: 60. DB::Exception: Unknown table nope. (UNKNOWN_TABLE)"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        sqlite3.OperationalError("database or disk is full"),
        RuntimeError("Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)"),
    ],
)
def test_a_full_disk_is_called_so_whoever_met_it(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(error, verbose=False) == 1
    assert "make room and run the same command again" in capsys.readouterr().err


def test_too_little_memory_is_called_so(capsys: pytest.CaptureFixture[str]) -> None:
    error = RuntimeError("Code: 241. DB::Exception: (total) memory limit exceeded: … (MEMORY_LIMIT_EXCEEDED)")
    assert report(error, verbose=False) == 1
    told = capsys.readouterr().err
    assert "not enough memory" in told
    assert "MEMORY_LIMIT" not in told
