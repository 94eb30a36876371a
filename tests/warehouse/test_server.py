"""The local server comes when it is needed, goes when it is not, and keeps what it was given."""

import fcntl
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from warehouse.connection import Warehouse, connect
from warehouse.errors import FootfallError
from warehouse.ports import free_ports
from warehouse.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    http_port, tcp_port = free_ports(2)
    return Settings(home=tmp_path / "home", host=None, http_port=http_port, tcp_port=tcp_port)


def server_pids(home: Path) -> list[int]:
    """The server processes of a home that are alive."""
    pids = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            state = (folder / "stat").read_text().rsplit(") ", 1)[1][0]
        except OSError:
            continue
        if b"warehouse.server" in words and str(home).encode() in words and state != "Z":
            pids.append(int(folder.name))
    return pids


def wait_until(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def command_of(settings: Settings, code: str) -> subprocess.Popen[str]:
    """Another footfall command on the same home."""
    program = f"""
import sys, time
from pathlib import Path
from warehouse.connection import connect
from warehouse.settings import Settings
with connect(Settings(home=Path({str(settings.home)!r}), host=None, http_port={settings.http_port},
                      tcp_port={settings.tcp_port})) as warehouse, warehouse.client() as client:
    {code}
"""
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def ask(warehouse: Warehouse, query: str) -> object:
    with warehouse.client() as client:
        return client.command(query)


def test_it_goes_when_the_last_command_ends_and_data_stays(settings: Settings) -> None:
    with connect(settings) as warehouse:
        ask(warehouse, "CREATE DATABASE kept")
        ask(warehouse, "CREATE TABLE kept.numbers ENGINE = MergeTree ORDER BY n AS SELECT number AS n FROM numbers(10)")
        assert len(server_pids(settings.home)) == 1
    wait_until(lambda: not server_pids(settings.home))
    assert "Shut down" in (settings.home / "warehouse" / "server.log").read_text()
    with connect(settings) as warehouse:
        assert ask(warehouse, "SELECT sum(n) FROM kept.numbers") == 45
        ask(warehouse, "SYSTEM FLUSH LOGS")
        # The log of queries outlives the server.
        assert ask(warehouse, "SELECT count() FROM system.query_log WHERE query LIKE 'CREATE TABLE kept.numbers%'")
        assert ask(warehouse, "EXISTS system.part_log")


def test_kill_9_of_the_command_takes_the_server_along_and_kill_9_of_the_server_loses_nothing(
    settings: Settings,
) -> None:
    command = command_of(settings, "print('up', flush=True); time.sleep(60)")
    assert first_line(command) == "up"
    with connect(settings) as warehouse:
        ask(warehouse, "CREATE DATABASE kept")
        ask(warehouse, "CREATE TABLE kept.t (n Int64) ENGINE = MergeTree ORDER BY n")
        ask(warehouse, "INSERT INTO kept.t SELECT number FROM numbers(1000)")
        (pid,) = server_pids(settings.home)
        os.kill(pid, signal.SIGKILL)
        with connect(settings) as again:
            assert server_pids(settings.home) != [pid]
            assert ask(again, "SELECT count() FROM kept.t") == 1000
    # That command still holds the server.
    time.sleep(2)
    assert len(server_pids(settings.home)) == 1
    command.kill()
    command.communicate()
    wait_until(lambda: not server_pids(settings.home))


def test_a_statement_left_running_by_a_killed_command_does_not_keep_the_server(settings: Settings) -> None:
    endless = "SELECT sum(sleepEachRow(1)) FROM numbers(60) SETTINGS max_block_size = 1"
    command = command_of(settings, f"print('up', flush=True); client.command({endless!r})")
    assert first_line(command) == "up"
    time.sleep(0.3)
    command.kill()
    command.communicate()
    wait_until(lambda: not server_pids(settings.home), seconds=40)
    with connect(settings) as warehouse:
        assert ask(warehouse, "SELECT 1") == 1


def test_several_commands_at_once_share_one_server(settings: Settings) -> None:
    def run(_: int) -> str:
        command = command_of(settings, "print(client.command('SELECT serverUUID()'), flush=True); time.sleep(1)")
        out, err = command.communicate(timeout=60)
        assert command.returncode == 0, err
        return out.strip()

    with ThreadPoolExecutor(5) as pool:
        assert len(set(pool.map(run, range(5)))) == 1
    # The next one comes while it shuts down, or after.
    for _ in range(4):
        with connect(settings) as warehouse:
            assert ask(warehouse, "SELECT 1") == 1
        time.sleep(0.45)


def test_a_command_with_other_ports_in_its_environment_attaches_to_the_server_that_runs(settings: Settings) -> None:
    http_port, tcp_port = free_ports(2)
    with (
        connect(settings) as first,
        connect(settings.model_copy(update={"http_port": http_port, "tcp_port": tcp_port})) as second,
    ):
        assert (second.port, second.tcp_port) == (first.port, first.tcp_port)
        assert len(server_pids(settings.home)) == 1


def test_the_native_port_answers_too(server: Warehouse) -> None:
    assert server.tcp_port is not None
    with socket.create_connection(("127.0.0.1", server.tcp_port), timeout=5):
        pass


def test_a_port_that_is_taken_is_named_with_its_variable(settings: Settings) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", settings.tcp_port))
        other.listen()
        with pytest.raises(FootfallError, match=str(settings.tcp_port)) as caught, connect(settings):
            pass
    assert "FOOTFALL_TCP_PORT" in caught.value.next_step
    assert not server_pids(settings.home)


def test_data_that_another_process_uses_is_left_alone(settings: Settings) -> None:
    data = settings.home / "warehouse" / "data"
    data.mkdir(parents=True)
    with (data / "status").open("w") as status:
        fcntl.flock(status, fcntl.LOCK_EX)
        with pytest.raises(FootfallError, match="Another process uses the data"), connect(settings):
            pass
    with connect(settings) as warehouse:
        assert ask(warehouse, "SELECT 1") == 1


def test_a_server_that_dies_at_its_start_says_why(settings: Settings) -> None:
    extra = settings.home / "warehouse" / "config.d"
    extra.mkdir(parents=True)
    (extra / "broken.xml").write_text("<clickhouse><mark_cache_size>lots</mark_cache_size></clickhouse>")
    with pytest.raises(FootfallError, match="mark_cache_size") as caught, connect(settings):
        pass
    assert "server.log" in caught.value.next_step


def test_a_home_that_cannot_be_a_folder_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FootfallError, match="cannot be used"), connect(Settings(home=tmp_path / "file", host=None)):
        pass


def test_only_our_user_gets_in_and_only_from_this_machine(server: Warehouse) -> None:
    files = server.settings.home / "warehouse"
    for name in ("password", "users.xml", "config.xml"):
        assert stat.S_IMODE((files / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(files.stat().st_mode) == 0o700
    for user, password in (("default", ""), ("default", "x"), ("footfall", ""), ("footfall", "guess")):
        with pytest.raises(ClickHouseError):
            clickhouse_connect.get_client(host="127.0.0.1", port=server.port, username=user, password=password)
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if " 0A " in line]
    ours = [address for address in listening if int(address.split(":")[1], 16) in (server.port, server.tcp_port)]
    assert ours and all(address.startswith("0100007F:") for address in ours)


def test_the_password_stands_in_no_log_and_no_process_list(server: Warehouse) -> None:
    password = server.password.get_secret_value().encode()
    (pid,) = server_pids(server.settings.home)
    assert password not in Path(f"/proc/{pid}/cmdline").read_bytes()
    for log in (server.settings.home / "warehouse").glob("*.log"):
        assert password not in log.read_bytes()
    assert password.decode() not in repr(server)


def test_our_settings_hold(server: Warehouse) -> None:
    with server.client() as client:
        rows = client.query(
            "SELECT currentUser(), timezone(), getSetting('async_insert'),"
            " getSetting('max_partitions_per_insert_block')"
        ).result_rows
    assert rows == [("footfall", "UTC", False, 0)]
