"""Which session of a device is going on at a moment, beside an answer that looks at each of them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.models.macros import macro
from warehouse.connection import Warehouse

START = datetime(2026, 3, 1, tzinfo=UTC)
COLUMNS = ["tenant_id", "device_key", "session_start", "session_key", "going_until"]


class Session(NamedTuple):
    """A device's session, from a moment to a moment in microseconds after the start of all."""

    start: int
    key: str
    until: int


# few moments, so that many sessions start or end at the same one
SESSIONS = st.lists(
    st.builds(
        lambda start, key, microseconds: Session(start, key, start + microseconds),
        st.integers(0, 20),
        st.sampled_from("abcdef"),
        st.integers(0, 20),
    ),
    max_size=40,
    unique_by=lambda session: (session.start, session.key),
)


def going_on(sessions: list[Session], moment: int) -> str:
    """The session that started last among those that go on, of those of one start the last by name; '' if none does."""
    return max([(s.start, s.key) for s in sessions if s.start <= moment <= s.until], default=(0, ""))[1]


@pytest.fixture
def client(warehouse: Warehouse) -> Iterator[Client]:
    database = warehouse.settings.next_database
    with warehouse.client() as admin:
        admin.command("create database {db:Identifier}", parameters={"db": database})
    with warehouse.client(database) as client:
        client.command(
            "create table sessions (tenant_id String, device_key String, session_start DateTime64(6, 'UTC'),"
            " session_key String, going_until DateTime64(6, 'UTC')) engine = MergeTree order by tuple()"
        )
        yield client


@given(devices=st.lists(SESSIONS, min_size=1, max_size=50))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_session_that_started_last_among_those_that_go_on(client: Client, devices: list[list[Session]]) -> None:
    client.command("truncate table sessions")
    rows = [
        ["t", str(device), START + timedelta(microseconds=s.start), s.key, START + timedelta(microseconds=s.until)]
        for device, sessions in enumerate(devices)
        for s in sessions
    ]
    # the same of another tenant, where every session goes on for longer
    rows += [["u", *row[1:4], row[4] + timedelta(seconds=1)] for row in rows]
    if rows:
        client.insert("sessions", rows, column_names=COLUMNS)
    found = {
        (device, moment): key
        for device, moment, key in client.query(
            "select toUInt32(device_key), dateDiff('microsecond', {start:DateTime64(6, 'UTC')}, from_at), session_key"
            f" from ({macro('sessions.sql', 'sessions_going_on', 'sessions')}) where tenant_id = 't'",
            parameters={"start": START},
        ).result_rows
    }
    for device, sessions in enumerate(devices):
        now = ""
        for moment in range(45):
            now = found.get((device, moment), now)
            assert now == going_on(sessions, moment), (device, moment)
