"""The tables that pictures read, with the columns that they read, and rows for them."""

from collections.abc import Callable, Iterator

import pytest
from clickhouse_connect.driver.client import Client

from warehouse.connection import Warehouse

_COLUMNS = {
    "session_stats_daily": """
        tenant_id String, date Date, sessions_count UInt64, identified_sessions_count UInt64, bounce_rate Float64
    """,
    "funnel_conversions_daily": """
        tenant_id String, funnel_id String, entry_date Date, step_number UInt16, step_name String, users_count UInt64,
        is_window_complete UInt8
    """,
    "retention": """
        tenant_id String, retention_id String, cohort_date Date, period_number UInt16, users_count UInt64,
        retained_count UInt64, is_complete UInt8
    """,
    "attribution_credit": """
        tenant_id String, user_id String, session_id String, conversion_at DateTime64(6, 'UTC'), model String,
        channel String, credit Float64, credited_revenue Nullable(Decimal(18, 6))
    """,
    "users": "tenant_id String, user_id String, is_identified UInt8, distinct_ids_count UInt64, _build_seq UInt64",
    "int_tenants": "tenant_id String, last_event_date Date",
    "int_retention_definitions": "tenant_id String, retention_id String, period String",
    "int_build_range": "tenant_id String, to_seq UInt64",
}

Fill = Callable[..., None]


@pytest.fixture(scope="module")
def client(shared_warehouse: Warehouse) -> Iterator[Client]:
    """A client of the published database, in which the tables are empty until a test fills them."""
    database = shared_warehouse.settings.database
    with shared_warehouse.client() as admin:
        admin.command(f"CREATE DATABASE {database}")
        for table, columns in _COLUMNS.items():
            admin.command(f"CREATE TABLE {database}.{table} ({columns}) ENGINE = MergeTree ORDER BY tenant_id")
    with shared_warehouse.client(database) as client:
        yield client


@pytest.fixture
def fill(client: Client) -> Iterator[Fill]:
    """Insert what a SELECT gives into a table; all tables are empty again afterwards."""

    def insert(table: str, columns: str, select: str) -> None:
        client.command(f"INSERT INTO {table} ({columns}) {select}")

    yield insert
    for table in _COLUMNS:
        client.command(f"TRUNCATE TABLE {table}")


@pytest.fixture
def two_years(fill: Fill) -> None:
    """A hundred tenants and two years: tenant 99 is the largest in everything, the first day is 2026-01-01."""
    fill(
        "session_stats_daily",
        "tenant_id, date, sessions_count, identified_sessions_count, bounce_rate",
        """
        SELECT concat('tenant', toString(number % 100)), toDate('2026-01-01') + intDiv(number, 100),
            10 + number % 100, number % 100, 0.4 FROM numbers(73000)
        """,
    )
    fill(
        "funnel_conversions_daily",
        "tenant_id, funnel_id, entry_date, step_number, step_name, users_count, is_window_complete",
        """
        SELECT concat('tenant', toString(number % 100)), 'buy', toDate('2026-01-01') + intDiv(number, 100) AS day,
            step, concat('Step ', toString(step)), intDiv(100 + number % 100, step), day < '2027-12-17'
        FROM numbers(73000) ARRAY JOIN [1, 2, 3] AS step
        """,
    )
    fill(
        "retention",
        "tenant_id, retention_id, cohort_date, period_number, users_count, retained_count, is_complete",
        """
        SELECT concat('tenant', toString(number % 100)), definition, toDate('2026-01-01') + intDiv(number, 100) AS day,
            period, 100, if(period = 0, 100, 50), day + period < '2027-12-31'
        FROM numbers(73000) ARRAY JOIN ['a', 'b', 'c', 'd', 'e'] AS definition ARRAY JOIN range(5) AS period
        WHERE day >= '2027-11-01' AND day + period <= '2027-12-31'
        """,
    )
    fill(
        "attribution_credit",
        "tenant_id, user_id, session_id, conversion_at, model, channel, credit, credited_revenue",
        """
        SELECT concat('tenant', toString(number % 100)), 'ann', 'visit',
            toDateTime64('2026-01-01 12:00:00', 6, 'UTC') + toIntervalDay(intDiv(number, 100)),
            model, channel, 0.5, 10
        FROM numbers(73000) ARRAY JOIN ['first', 'last', 'linear', 'position', 'time_decay'] AS model
        ARRAY JOIN ['Email', 'Direct'] AS channel
        """,
    )
    # Twice as many, half of them of earlier builds.
    fill(
        "users",
        "tenant_id, user_id, is_identified, distinct_ids_count, _build_seq",
        """
        SELECT concat('tenant', toString(number % 100)), toString(number), number % 2, 1 + number % 2000,
            if(number < 200000, 7, 6)
        FROM numbers(400000)
        """,
    )
    fill("int_tenants", "tenant_id, last_event_date", "SELECT 'tenant0', '2027-12-31'")
    fill("int_build_range", "to_seq", "SELECT 7")
