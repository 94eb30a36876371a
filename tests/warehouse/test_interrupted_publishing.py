"""What people read is the old version or the new one, whatever dies on the way."""

import os
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_connect.driver.httpclient import HttpClient

from tests.warehouse.store import Store
from warehouse import publishing
from warehouse.errors import FootfallError


class Dies(Exception):
    pass


@pytest.fixture
def die_after(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets so many statements through, then dies at the next one.

    Of a statement that swaps several pairs each counts for itself: the server does them one after another, too.
    """
    command, insert = HttpClient.command, HttpClient.data_insert
    left = [10**9]

    def pair_by_pair(client: HttpClient, cmd: str, *args: Any, **kwargs: Any) -> Any:
        kind, _, pairs = cmd.partition(" TABLES " if cmd.startswith("EXCHANGE") else " TABLE ")
        if kind not in ("EXCHANGE", "RENAME"):
            return one(client, cmd, *args, **kwargs)
        for pair in pairs.split(", "):
            one(client, cmd.replace(pairs, pair), *args, **kwargs)
        return None

    def dying(original: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            if left[0] == 0:
                raise Dies
            left[0] -= 1
            return original(*args, **kwargs)

        return run

    one = dying(command)
    monkeypatch.setattr(HttpClient, "command", pair_by_pair)
    monkeypatch.setattr(HttpClient, "data_insert", dying(insert))

    def arm(statements: int | None) -> None:
        left[0] = 10**9 if statements is None else statements

    return arm


def candidate_of_everything(store: Store) -> None:
    """Version 1 published; the candidate of version 2 replaces, adds and takes away tables and a view."""
    publishing.prepare(store.warehouse, full_refresh=True)
    store.build(1, "sessions", "users", "old_mart")
    store.do("CREATE VIEW $next.people AS SELECT id, version FROM $next.users")
    publishing.publish(store.warehouse)
    publishing.prepare(store.warehouse)
    store.build(2, "sessions", "users", "new_mart")
    store.do("DROP TABLE $next.old_mart")
    store.do("CREATE OR REPLACE VIEW $next.people AS SELECT id, version FROM $next.sessions")


OLD = {"sessions", "users", "old_mart", "people"}
NEW = {"sessions", "users", "new_mart", "people"}


def whole_version(store: Store) -> int:
    """The version that is published; fails if it is a mixture."""
    names = store.names(store.published)
    assert names in (OLD, NEW)
    version = 1 if names == OLD else 2
    assert store.versions(*names) == [version] * 4
    return version


def test_a_crash_at_any_step_of_publishing_and_rolling_back_ends_in_one_whole_version(
    store: Store, die_after: Any
) -> None:
    finished = False
    statements, outcomes = 0, []
    while not finished:
        candidate_of_everything(store)
        die_after(statements)
        try:
            publishing.publish(store.warehouse)
            finished = True
        except Dies:
            pass
        die_after(None)
        recovered = publishing.recover(store.warehouse)
        outcomes.append((recovered, whole_version(store)))
        assert not publishing.recover(store.warehouse)
        if outcomes[-1][1] == 1:
            publishing.publish(store.warehouse)  # the same command again
        assert whole_version(store) == 2

        # The same crash, on the way back.
        die_after(statements)
        try:
            publishing.rollback(store.warehouse)
        except Dies:
            die_after(None)
            publishing.recover(store.warehouse)
            if whole_version(store) == 2:
                publishing.rollback(store.warehouse)
        die_after(None)
        assert whole_version(store) == 1
        statements += 1
    # Old versions until it is journalled, then new ones only, each of them finished by recover; at last no crash.
    assert outcomes == [*sorted(outcomes[:-1]), (False, 2)]
    assert {(False, 1), (True, 2)} < set(outcomes)
    assert outcomes.count((True, 2)) >= 5


def test_a_crash_at_any_step_of_preparing_leaves_the_published_version_and_can_be_repeated(
    store: Store, die_after: Any
) -> None:
    candidate_of_everything(store)
    publishing.publish(store.warehouse)
    finished, statements = False, 0
    while not finished:
        die_after(statements)
        try:
            publishing.prepare(store.warehouse)
            finished = True
        except Dies:
            statements += 1
        die_after(None)
        assert whole_version(store) == 2
    assert statements > 8
    assert store.names(store.next) == NEW
    publishing.publish(store.warehouse)
    assert whole_version(store) == 2


PUBLISHER = """
from warehouse import publishing
from warehouse.connection import connect
from warehouse.settings import get_settings
with connect(get_settings()) as warehouse:
    print("ready", flush=True)
    publishing.publish(warehouse)
"""


def test_killed_while_publishing(store: Store) -> None:
    for delay in (0.005, 0.015, 0.03, 0.05):
        candidate_of_everything(store)
        environment = os.environ | store.warehouse.environment()
        process = subprocess.Popen(
            [sys.executable, "-c", PUBLISHER], env=environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(delay)
        process.kill()
        process.communicate()
        time.sleep(0.05)  # a statement that the server already has may still end
        publishing.recover(store.warehouse)
        if whole_version(store) == 1:
            publishing.publish(store.warehouse)
        assert whole_version(store) == 2


def test_a_swap_that_somebody_undoes_meanwhile_is_not_called_published(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.publish(1, "sessions", "users")
    publishing.prepare(store.warehouse)
    store.build(2, "sessions", "users")
    command = HttpClient.command

    def twice(client: HttpClient, cmd: str, *args: Any, **kwargs: Any) -> Any:
        if cmd.startswith("EXCHANGE"):
            command(client, cmd, *args, **kwargs)
        return command(client, cmd, *args, **kwargs)

    monkeypatch.setattr(HttpClient, "command", twice)
    with pytest.raises(FootfallError, match="not complete: sessions, users"):
        publishing.publish(store.warehouse)
    monkeypatch.undo()
    assert publishing.recover(store.warehouse)
    assert store.versions("sessions", "users") == [2, 2]


def test_where_the_server_swaps_one_pair_in_a_statement_they_go_one_by_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate_of_everything(store)
    command, swaps = HttpClient.command, []

    def one_pair(client: HttpClient, cmd: str, *args: Any, **kwargs: Any) -> Any:
        if cmd.startswith(("EXCHANGE", "RENAME")):
            swaps.append(cmd.count(", ") + 1)
            if ", " in cmd:  # in the words of a Replicated database, which the local server does not have
                raise DatabaseError("does not support renaming of multiple tables in single query", code=48)
        return command(client, cmd, *args, **kwargs)

    monkeypatch.setattr(HttpClient, "command", one_pair)
    publishing.publish(store.warehouse)
    assert whole_version(store) == 2
    assert swaps == [1, 3, 1, 1, 1, 1]  # a new table, three pairs at once, refused; each; the one that goes
    publishing.rollback(store.warehouse)
    assert whole_version(store) == 1


def test_a_swap_that_cannot_be_finished_says_so_and_a_full_refresh_is_the_way_out(store: Store, die_after: Any) -> None:
    candidate_of_everything(store)
    die_after(8)  # the journal and some of the exchanges
    with pytest.raises(Dies):
        publishing.publish(store.warehouse)
    die_after(None)
    store.do("DROP TABLE IF EXISTS $next.users")
    store.do("DROP TABLE IF EXISTS $published.users")
    with pytest.raises(FootfallError, match="changed by hand") as caught:
        publishing.prepare(store.warehouse)
    assert "--full-refresh" in caught.value.next_step
    store.publish(3, "sessions", "users")
    assert store.versions("sessions", "users") == [3, 3]


def test_what_a_killed_build_still_runs_is_ended_by_the_next(store: Store) -> None:
    store.publish(1, "users")
    store.do("CREATE TABLE $next.slow (id UInt64) ENGINE = MergeTree ORDER BY id")
    ended: list[str] = []

    def orphan() -> None:
        with store.warehouse.client(store.next) as client:
            try:
                client.command("INSERT INTO slow SELECT sleepEachRow(1) FROM numbers(100) SETTINGS max_block_size = 1")
            except DatabaseError as error:
                ended.append(str(error))

    thread = threading.Thread(target=orphan)
    thread.start()
    at_work = "SELECT count() FROM system.processes WHERE current_database = '$next' AND query_kind = 'Insert'"
    while store.rows(at_work) == [(0,)]:
        time.sleep(0.05)
    publishing.prepare(store.warehouse)
    assert store.rows(at_work) == [(0,)]
    thread.join(10)
    assert "QUERY_WAS_CANCELLED" in ended[0]
