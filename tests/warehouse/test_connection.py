import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from warehouse.connection import Warehouse, connect
from warehouse.errors import FootfallError
from warehouse.ports import free_ports
from warehouse.settings import Settings


def remote(server: Warehouse, **changes: object) -> Settings:
    """The test server as if it were somebody's own, by CLICKHOUSE_HOST."""
    values = {"home": server.settings.home / "elsewhere", "host": server.host, "port": server.port, "user": server.user}
    return Settings(**(values | {"password": server.password} | changes))  # type: ignore[arg-type]


def test_a_host_is_connected_to_and_no_server_is_started(server: Warehouse) -> None:
    settings = remote(server)
    with connect(settings) as warehouse, warehouse.client() as client:
        assert client.command("SELECT 1") == 1
        assert warehouse.tcp_port is None
    assert not (settings.home / "warehouse").exists()


def test_a_wrong_password_is_one_clear_sentence_without_it(server: Warehouse) -> None:
    with (
        pytest.raises(FootfallError, match="refuses the user 'footfall'") as caught,
        connect(remote(server, password="not-the-password")),
    ):
        pass
    assert "not-the-password" not in str(caught.value)
    assert "CLICKHOUSE_PASSWORD" in caught.value.next_step


def test_a_server_that_is_not_there_is_one_clear_sentence(server: Warehouse) -> None:
    (port,) = free_ports(1)
    with pytest.raises(FootfallError) as caught, connect(remote(server, port=port)):
        pass
    assert caught.value.message == f"No ClickHouse server answers at 127.0.0.1:{port}: Connection refused."
    with (
        pytest.raises(FootfallError, match=r"no\.such\.host\.invalid"),
        connect(remote(server, host="no.such.host.invalid")),
    ):
        pass
    with pytest.raises(FootfallError, match="CLICKHOUSE_SECURE"), connect(remote(server, secure=True)):
        pass


def test_a_subprocess_with_our_environment_talks_to_the_same_warehouse(warehouse: Warehouse) -> None:
    program = """
from warehouse.connection import connect
from warehouse.settings import get_settings
settings = get_settings()
with connect(settings) as warehouse, warehouse.client() as client:
    print(client.command("SELECT serverUUID()"), settings.raw_database, settings.database, settings.home, sep="|")
"""
    environment = os.environ | warehouse.environment()
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    with warehouse.client() as client:
        here = client.command("SELECT serverUUID()")
    settings = warehouse.settings
    assert done.stdout.strip() == f"{here}|{settings.raw_database}|{settings.database}|{settings.home}"


def test_a_database_that_is_not_there_yet_is_said_so(warehouse: Warehouse) -> None:
    with pytest.raises(FootfallError, match="has no database"), warehouse.client(warehouse.settings.database):
        pass


def test_one_client_serves_several_threads(warehouse: Warehouse) -> None:
    with warehouse.client() as client, ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda n: client.query(f"SELECT {n}, sleep(0.01)").result_rows[0][0], range(40))
        assert list(answers) == list(range(40))


def test_a_database_name_is_a_parameter_not_text(warehouse: Warehouse) -> None:
    with warehouse.client() as client:
        client.command("CREATE DATABASE {db:Identifier}", parameters={"db": warehouse.settings.raw_database})
    with warehouse.client(warehouse.settings.raw_database) as client:
        assert client.command("SELECT currentDatabase()") == warehouse.settings.raw_database


def test_a_proxy_in_the_environment_does_not_come_between(server: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(variable, "intranet.example")
    with connect(server.settings) as warehouse, warehouse.client() as client:
        assert client.command("SELECT 1") == 1
    assert os.environ["no_proxy"] == "intranet.example,127.0.0.1"
