"""What a build takes on disk: what it writes, beside what is published, and no version more than the one before."""

import os
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from benchmarks.generate import write_days
from ingest.loading import load_paths
from tests.exactness.builds import Builder
from tests.exactness.stories import File
from warehouse.connection import Warehouse, connect
from warehouse.ports import free_ports

DAYS = 12
EVENTS_PER_DAY = 3000
# Definitions of tables, empty tables, the journal.
ALLOWANCE = 500_000
LONGEST_REMOVAL_SECONDS = 15.0
# A candidate of everything also holds the feed, which is not published.
FEED_SHARE = 0.5


@dataclass
class Disk:
    """A warehouse with a server, and so a data folder, of its own."""

    warehouse: Warehouse
    builder: Builder

    @property
    def names(self) -> dict[str, str]:
        """The three databases, as parameters of a query."""
        settings = self.warehouse.settings
        return {"raw": settings.raw_database, "published": settings.database, "next": settings.next_database}

    def occupied(self, at_most: int) -> int:
        """The bytes of all files in the data folder, a file with several names (a clone) counted once.

        Without the server's own logs, and without what it is about to remove by itself: parts that a merge or a
        mutation has replaced, and dropped tables. What it is removing just now is on no list: so if it is more than
        `at_most`, it is looked at again for a while.
        """
        patience = time.monotonic() + LONGEST_REMOVAL_SECONDS
        while (occupied := self._occupied_now()) > at_most and time.monotonic() < patience:
            time.sleep(1)
        return occupied

    def _occupied_now(self) -> int:
        data = self.warehouse.settings.home / "warehouse" / "data"
        with self.warehouse.client() as client:
            while client.query("SELECT count() FROM system.merges").first_row[0]:
                time.sleep(0.2)
            passing = client.query(
                "SELECT arrayJoin(data_paths) FROM system.tables WHERE database = 'system' AND notEmpty(data_paths)"
                " UNION ALL SELECT path FROM system.parts WHERE NOT active"
                " UNION ALL SELECT concat({data:String}, '/store/', substring(toString(uuid), 1, 3), '/',"
                " toString(uuid), '/') FROM system.dropped_tables",
                parameters={"data": str(data)},
            ).result_rows
        return _bytes_of([data], leaving_out={Path(path) for (path,) in passing})

    def tables(self, *databases: str) -> int:
        """The bytes of the tables of these databases, a file that several share counted once."""
        with self.warehouse.client() as client:
            parts = client.query(
                "SELECT path FROM system.parts WHERE active AND has({databases:Array(String)}, database)",
                parameters={"databases": [self.names[name] for name in databases]},
            ).result_rows
        return _bytes_of([Path(path) for (path,) in parts])

    def now(self) -> datetime:
        """The server's time."""
        with self.warehouse.client() as client:
            moment: datetime = client.query("SELECT now64(6, 'UTC')").first_row[0]
        return moment.replace(tzinfo=UTC)

    def written_since(self, moment: datetime) -> int:
        """The bytes of the parts that the candidate's models have written since then; clones write none."""
        with self.warehouse.client() as client:
            client.command("SYSTEM FLUSH LOGS")
            written = client.query(
                "SELECT sum(size_in_bytes) FROM system.part_log"
                " WHERE event_type = 'NewPart' AND database = {next:String}"
                " AND event_time_microseconds >= {moment:DateTime64(6, 'UTC')}"
                " AND query_id NOT IN (SELECT query_id FROM system.query_log WHERE query LIKE '%ATTACH PARTITION%')",
                parameters={**self.names, "moment": moment},
            ).first_row[0]
        return int(written)

    def visit(self, name: str) -> None:
        """A handful of events more: an id that was there before is somebody's."""
        with self.warehouse.client(self.names["published"]) as client:
            tenant, anonymous_id, last = client.query(
                "SELECT tenant_id, user_id, toString(last_seen_at) FROM users WHERE NOT is_identified"
                " ORDER BY events_count DESC, user_id LIMIT 1"
            ).first_row
        event = {"tenant_id": tenant, "timestamp": last, "distinct_id": f"somebody {name}"}
        login = {**event, "event": "$identify", "properties": {"$anon_distinct_id": anonymous_id}}
        views = [{**event, "event": "page", "event_id": f"{name} {place}"} for place in range(4)]
        self.builder.load(File("events", f"{name}.ndjson", [login, *views]))


def _bytes_of(folders: list[Path], leaving_out: Collection[Path] = ()) -> int:
    sizes: dict[int, int] = {}
    for start in folders:
        for folder, inner, files in os.walk(start):
            inner[:] = [name for name in inner if Path(folder, name) not in leaving_out]
            for name in files:
                with suppress(FileNotFoundError):
                    status = Path(folder, name).stat()
                    sizes[status.st_ino] = status.st_size
    return sum(sizes.values())


@pytest.fixture(scope="module")
def disk(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    """Two weeks of history, built and published."""
    folder = tmp_path_factory.mktemp("disk")
    http_port, tcp_port, ui_port = free_ports(3)
    settings = server.settings.model_copy(
        update={"home": folder / "home", "http_port": http_port, "tcp_port": tcp_port, "ui_port": ui_port}
    )
    with connect(settings) as warehouse:
        builder = Builder(warehouse, folder / "dbt")
        days = write_days(
            folder / "landing", events_per_day=EVENTS_PER_DAY, days=DAYS, first_day=date(2026, 1, 1), seed=5
        )
        assert {result.status for result in load_paths(warehouse, "events", days)} == {"loaded"}
        builder.build()
        yield Disk(warehouse, builder)


@pytest.mark.slow
def test_a_full_refresh_stores_the_tables_twice(disk: Disk) -> None:
    published = disk.tables("published")
    disk.builder.build(full_refresh=True, publish=False)
    assert disk.tables("next") <= (1 + FEED_SHARE) * published
    twice = disk.tables("raw") + published + disk.tables("next") + ALLOWANCE
    assert disk.occupied(twice) <= twice
    disk.builder.publish()
    assert disk.occupied(twice) <= twice


@pytest.mark.slow
def test_a_small_build_stores_what_it_writes_and_drops_the_version_before_the_previous(disk: Disk) -> None:
    # The second build meets deletions of the first that are to be merged before a table can be cloned.
    for number in (1, 2):
        disk.visit(f"visit {number}")
        began = disk.now()
        disk.builder.build(publish=False)
        published, written = disk.tables("published"), disk.written_since(began)
        # else the test would show nothing
        assert 0.1 * published > ALLOWANCE
        assert 0 < written < 0.1 * published
        at_most = disk.tables("raw") + published + written + ALLOWANCE
        assert disk.occupied(at_most) <= at_most
        disk.builder.publish()
        assert disk.occupied(at_most) <= at_most
