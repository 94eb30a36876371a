"""Why a build may have run out of memory: the keys that hold most of what it reads, by name."""

from collections.abc import Sequence

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
_SPARING = {"max_threads": 1, "max_bytes_before_external_group_by": 100_000_000}


def explained(warehouse: Warehouse, failures: Sequence[str]) -> tuple[str, ...]:
    """The failures of a build, those of memory in a sentence that names the largest keys of the candidate's tables."""
    if not any(_OUT_OF_MEMORY in failure for failure in failures):
        return tuple(failures)
    keys = largest_keys(warehouse)
    named = f"; of its events most are those of {' and '.join(keys)}" if keys else ""
    return tuple(
        f"{failure.partition(':')[0]}: the warehouse has not enough memory for it{named}. Give the warehouse more"
        " memory; or, if that is no real person, withdraw the files that hold it and load them without it"
        if _OUT_OF_MEMORY in failure
        else failure
        for failure in failures
    )


def largest_keys(warehouse: Warehouse) -> list[str]:
    """Whoever has most events in the candidate, as `person 'x' of tenant 't' (150,000 events)`, one per kind of key."""
    found = []
    database = warehouse.settings.next_database
    with warehouse.client(database) as client:
        for kind, tables, query in _LARGEST:
            if all(warehouse.has_table(database, table) for table in tables):
                found += [
                    f"{kind} {key!r} of tenant {tenant!r} ({events:,} events)"
                    for tenant, key, events in _rows(client, query)
                ]
    return found


def _rows(client: Client, query: str) -> Sequence[Sequence[str | int]]:
    try:
        return client.query(query, settings=_SPARING).result_rows
    except ClickHouseError:  # the memory may still be full: then the failure is told without names
        return []
