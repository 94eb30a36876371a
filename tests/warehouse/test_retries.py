"""Broken connections, through a proxy that breaks them: what may be repeated is, what may not is not."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

from warehouse import retries
from warehouse.connection import Warehouse, connect
from warehouse.settings import Settings


class Proxy:
    """Passes connections on to the warehouse, or breaks them."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.cut_answers = 0  # so many of the next answers are cut off, after the server has done its work
        self.refused = 0.0  # nothing listens for so many seconds, from the next broken connection on
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, socket.create_connection(("127.0.0.1", self._target)) as server, suppress(OSError):
            threading.Thread(target=self._pump, args=(connection, server), daemon=True).start()
            while block := server.recv(65536):
                if self.cut_answers > 0:
                    self.cut_answers -= 1
                    connection.shutdown(socket.SHUT_RDWR)
                    return
                connection.sendall(block)

    def _pump(self, connection: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while block := connection.recv(65536):
                server.sendall(block)
            server.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def away(self, seconds: float) -> Iterator[None]:
        """Nothing listens for this long, as while a server restarts."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

        def back() -> None:
            time.sleep(seconds)
            self.listener = socket.create_server(("127.0.0.1", self.port))
            self._accept()

        threading.Thread(target=back, daemon=True).start()
        yield


@pytest.fixture
def proxy(warehouse: Warehouse) -> Proxy:
    return Proxy(warehouse.port)


@pytest.fixture
def client(warehouse: Warehouse, proxy: Proxy) -> Iterator[Client]:
    """Through the proxy, with a table to write to, and no connection that is open already."""
    settings = Settings(host="127.0.0.1", port=proxy.port, user=warehouse.user, password=warehouse.password)
    with connect(settings) as there, there.client() as client:
        client.command("CREATE DATABASE raw")
        client.command("CREATE TABLE raw.notes (id UInt64) ENGINE = MergeTree ORDER BY id")
        client.close_connections()
        yield client


def count(warehouse: Warehouse) -> int:
    with warehouse.client() as client:
        return int(client.query("SELECT count() FROM raw.notes").first_row[0])


def test_what_reads_or_may_be_repeated_is_tried_again(
    client: Client, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.cut_answers = 3
    assert client.query("SELECT 1").first_row == (1,)
    proxy.cut_answers = 3
    client.command("CREATE TABLE IF NOT EXISTS raw.more (id UInt64) ENGINE = MergeTree ORDER BY id")
    assert proxy.cut_answers == 0
    said = [record.getMessage() for record in caplog.records if record.name == retries.__name__]
    assert said
    assert said[0].startswith(f"The warehouse at 127.0.0.1:{proxy.port} is not available (")
    assert "trying again in" in said[0]


@pytest.mark.parametrize("statement", ["INSERT INTO raw.notes SELECT 1", "RENAME TABLE raw.notes TO raw.renamed"])
def test_what_may_not_be_repeated_is_not(warehouse: Warehouse, client: Client, proxy: Proxy, statement: str) -> None:
    proxy.cut_answers = 1
    with pytest.raises(OperationalError):
        client.command(statement)
    if statement.startswith("INSERT"):
        assert count(warehouse) == 1


def test_rows_are_inserted_whatever_breaks_into_tables_that_keep_one_version(client: Client, proxy: Proxy) -> None:
    client.command("CREATE TABLE raw.versions (id UInt64) ENGINE = ReplacingMergeTree ORDER BY id")
    client.close_connections()

    def insert(number: int) -> None:
        client.insert("versions", [[number]], column_names=["id"], column_type_names=["UInt64"], database="raw")

    with proxy.away(1.0):
        insert(1)
    proxy.cut_answers = 4
    insert(2)
    assert proxy.cut_answers == 0
    assert client.query("SELECT id FROM raw.versions FINAL ORDER BY id").result_rows == [(1,), (2,)]


def test_a_statement_that_never_reached_the_server_is_sent_again(
    warehouse: Warehouse, client: Client, proxy: Proxy
) -> None:
    with proxy.away(1.0):
        client.command("INSERT INTO raw.notes SELECT 1")
    assert count(warehouse) == 1


def test_a_server_that_stays_away_is_given_up(client: Client, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "_RETRY_SECONDS", 1.0)
    started = time.monotonic()
    with proxy.away(60), pytest.raises(ClickHouseError):
        client.query("SELECT 1")
    assert 1 <= time.monotonic() - started < 20


def test_too_many_queries_at_once_are_waited_for(warehouse: Warehouse, client: Client) -> None:
    slow = threading.Thread(target=lambda: client.query("SELECT sleep(3)"))
    slow.start()
    with warehouse.client() as direct:
        at_work = "SELECT count() FROM system.processes WHERE startsWith(query, 'SELECT sleep(3)')"
        while not direct.query(at_work).first_row[0]:
            time.sleep(0.05)
        # One of the two is the engine's own.
        client.command("INSERT INTO raw.notes SELECT 1", settings={"max_concurrent_queries_for_all_users": 2})
    slow.join()
    assert count(warehouse) == 1


def test_what_is_wrong_with_the_statement_is_told_at_once(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger=retries.__name__)
    with pytest.raises(ClickHouseError):
        client.query("SELECT nothing")
    assert not [record for record in caplog.records if record.name == retries.__name__]
