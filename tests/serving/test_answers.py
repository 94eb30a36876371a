"""Five endpoints say what independent code says; `FOOTFALL_ANSWERS_OF=FILE:TENANT pytest` with this file asks it of a
file of one's own.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from tests.exactness.builds import Builder
from tests.exactness.stories import File
from tests.oracle.comparison import lines_of, names_of
from tests.oracle.tables import tables_of
from tests.serving import oracle_answers
from tests.serving.conftest import ROWS, Service, serving
from tests.serving.oracle_answers import Tables, unlike
from warehouse import publishing
from warehouse.connection import Warehouse
from warehouse.journal import Version
from warehouse.lock import exclusive
from warehouse.tracking_key import tracking_secret


@dataclass
class Asked:
    """A service, what the oracle says of the same rows, and of which tenant is asked."""

    service: Service
    tables: Tables
    tenant: str

    @property
    def ids(self) -> list[str]:
        """Some ids of people of the tenant."""
        ids = sorted(row["distinct_id"] for row in self.tables["identities"] if row["tenant_id"] == self.tenant)
        return ids[:: max(1, len(ids) // 60)]


@pytest.fixture(scope="module")
def asked(shared_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    file, _, tenant = os.environ.get("FOOTFALL_ANSWERS_OF", ":shop").rpartition(":")
    rows = [orjson.loads(line) for line in Path(file).read_bytes().splitlines()] if file else ROWS
    builder = Builder(shared_warehouse, tmp_path_factory.mktemp("answers"))
    builder.load(File("events", "events.ndjson", [{"tenant_id": tenant} | row for row in rows]))
    builder.build(publish=False, test=False)
    with exclusive(shared_warehouse, "test"):
        publishing.publish(shared_warehouse, Version("by hand"))
    with shared_warehouse.client(shared_warehouse.settings.database) as client:
        secret = tracking_secret(shared_warehouse.settings)
        tables = tables_of(lines_of(builder, client), names_of(client), secret)
    with serving(shared_warehouse, [tenant], FOOTFALL_API_RATE="10000/second") as service:
        yield Asked(service, tables, tenant)


def test_events_of_people(asked: Asked) -> None:
    for one in asked.ids:
        answered = asked.service.data("user_profile_events", asked.tenant, user_id=one, limit=100_000)
        assert unlike(oracle_answers.user_profile_events(asked.tables, asked.tenant, one), answered) == [], one


def test_sessions_of_people_and_of_all(asked: Asked) -> None:
    for one in asked.ids:
        answered = asked.service.data("user_sessions", asked.tenant, distinct_id=one, limit=100_000)
        assert unlike(oracle_answers.user_sessions(asked.tables, asked.tenant, one), answered) == [], one
    answered = asked.service.data("user_sessions", asked.tenant, limit=100_000)
    assert unlike(oracle_answers.user_sessions(asked.tables, asked.tenant), answered) == []


def test_sessions_in_another_order(asked: Asked) -> None:
    answered = asked.service.data(
        "sessions_analytics", asked.tenant, min_duration=1, order_by="session_duration_seconds", order="ASC",
        limit=100_000,
    )  # fmt: skip
    assert unlike(oracle_answers.sessions_analytics(asked.tables, asked.tenant, 1), answered) == []


def test_attribution_of_people(asked: Asked) -> None:
    for one in asked.ids:
        answered = asked.service.data("user_attribution", asked.tenant, user_id=one)
        assert unlike(oracle_answers.user_attribution(asked.tables, asked.tenant, one), answered) == [], one


def test_days(asked: Asked) -> None:
    answered = asked.service.data("session_stats", asked.tenant, limit=100_000)
    assert unlike(oracle_answers.session_stats(asked.tables, asked.tenant), answered) == []
