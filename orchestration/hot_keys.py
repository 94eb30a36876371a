"""Why a build may have run out of memory: the keys that hold most of what it reads.

The sentence that says why tells tenant and count: failures are also posted to a chat (`alerts`) and kept in the build
log, where a person's id has no business. Which key it is the run's own log tells, on the console and in Dagster.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from warehouse.connection import Warehouse

_OUT_OF_MEMORY = "MEMORY_LIMIT_EXCEEDED"

# What the keys are called, the tables that are asked, and who has most. Of narrow tables, and what does not fit in
# memory goes to disk: the memory is full as it is.
_LARGEST = (
    (
        "person",
        ("int_id_days", "identities"),
        """
        SELECT id_days.tenant_id AS tenant, identities.user_id AS key, sum(id_days.events_count) AS events
        FROM int_id_days AS id_days
        INNER JOIN identities
            ON id_days.tenant_id = identities.tenant_id AND id_days.distinct_id = identities.distinct_id
        GROUP BY tenant, key ORDER BY events DESC, tenant, key LIMIT 1
        """,
    ),
    (
        "session id or device",
        ("int_id_days",),
        """
        SELECT tenant_id AS tenant, substring(session_key, 3) AS key, sum(events_count) AS events
        FROM int_id_days GROUP BY tenant, key ORDER BY events DESC, tenant, key LIMIT 1
        """,
    ),
)
# The same of what has been loaded, for a build that failed before those tables were there.
_LARGEST_OF_RAW = (("distinct id", "distinct_id"), ("session id", "session_id"))
_RAW = """
    SELECT tenant_id AS tenant, {column:Identifier} AS key, count() AS events
    FROM {raw:Identifier}.events
    WHERE key != '' AND load_id IN (SELECT load_id FROM {raw:Identifier}.loads FINAL WHERE superseded_seq = 0)
    GROUP BY tenant, key ORDER BY events DESC, tenant, key LIMIT 1
"""
_SPARING = {"max_threads": 1, "max_bytes_before_external_group_by": 100_000_000}


@dataclass(frozen=True)
class HotKey:
    """The key of its kind that has most events: a person, or a session id or device."""

    kind: str
    tenant: str
    key: str
    events: int

    def __str__(self) -> str:
        return f"{self.kind} {self.key!r} of tenant {self.tenant!r} ({self.events:,} events)"

    @property
    def unnamed(self) -> str:
        """The same without the key itself."""
        return f"one {self.kind} of tenant {self.tenant!r} ({self.events:,} events)"


def behind(warehouse: Warehouse, failures: Sequence[str]) -> list[HotKey]:
    """The largest keys of the candidate's tables, if the build failed for want of memory."""
    return largest_keys(warehouse) if any(_OUT_OF_MEMORY in failure for failure in failures) else []


def explained(failures: Sequence[str], keys: Sequence[HotKey]) -> tuple[str, ...]:
    """The failures of a build, those of memory in a sentence that tells whose tenant the largest keys are."""
    told = remove = ""
    if keys:
        told = f"; of its events most are those of {' and '.join(key.unnamed for key in keys)}"
        remove = (
            "; or, if that is no real person, withdraw the files that hold it and load them without it;"
            " the log of the run names the keys"
        )
    return tuple(
        f"{failure.partition(':')[0]}: the warehouse has not enough memory for it{told}. Give the warehouse more"
        f" memory{remove}"
        if _OUT_OF_MEMORY in failure
        else failure
        for failure in failures
    )


def largest_keys(warehouse: Warehouse) -> list[HotKey]:
    """Whoever has most events in the candidate, or else in what is loaded, one per kind of key."""
    found = []
    database, raw = warehouse.settings.next_database, warehouse.settings.raw_database
    with warehouse.client(database) as client:
        for kind, tables, query in _LARGEST:
            if all(warehouse.has_table(database, table) for table in tables):
                found += [HotKey(kind, *row) for row in _rows(client, query)]
        for kind, column in () if found else _LARGEST_OF_RAW:
            found += [HotKey(kind, *row) for row in _rows(client, _RAW, column=column, raw=raw)]
    return found


def _rows(client: Client, query: str, **parameters: str) -> Sequence[Sequence[Any]]:
    try:
        return client.query(query, parameters=parameters, settings=_SPARING).result_rows
    except ClickHouseError:  # the memory may still be full: then the failure is told without names
        return []
