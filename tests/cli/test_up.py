"""`footfall up --warehouse-only`: in the foreground until it is told to stop."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import ROOT
from warehouse.ports import free_ports


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_warehouse_answers_until_the_command_is_ended(tmp_path: Path, number: signal.Signals) -> None:
    http_port, tcp_port = free_ports(2)
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "up", "--warehouse-only"],
        cwd=ROOT,
        env={
            **os.environ,
            "FOOTFALL_HOME": str(tmp_path),
            "FOOTFALL_HTTP_PORT": str(http_port),
            "FOOTFALL_TCP_PORT": str(tcp_port),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert f"http://127.0.0.1:{http_port}" in process.stdout.readline()
        assert httpx.get(f"http://127.0.0.1:{http_port}/ping").text == "Ok.\n"
        process.send_signal(number)
        assert process.wait(30) == 0
    finally:
        process.kill()
