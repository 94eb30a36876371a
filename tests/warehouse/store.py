"""A warehouse whose versions are easy to tell apart, for the tests of publishing."""

from typing import Any

from clickhouse_connect.driver.client import Client

from warehouse import publishing
from warehouse.connection import Warehouse


class Store:
    """Every row of version n says n."""

    def __init__(self, warehouse: Warehouse, client: Client) -> None:
        self.warehouse = warehouse
        self.client = client
        self.published = warehouse.settings.database
        self.next = warehouse.settings.next_database

    def do(self, statement: str) -> None:
        self.client.command(statement.replace("$next", self.next).replace("$published", self.published))

    def rows(self, query: str) -> list[Any]:
        return list(
            self.client.query(query.replace("$next", self.next).replace("$published", self.published)).result_rows
        )

    def names(self, database: str) -> set[str]:
        return {name for (name,) in self.rows(f"SELECT name FROM system.tables WHERE database = '{database}'")}

    def build(self, version: int, *names: str) -> None:
        """What dbt does in the candidate: tables are made again, by whatever name is asked for."""
        for name in names:
            self.do(
                f"CREATE OR REPLACE TABLE $next.{name} ENGINE = MergeTree ORDER BY id"
                f" AS SELECT number AS id, {version} AS version FROM numbers(100)"
            )

    def versions(self, *names: str) -> list[int]:
        return [self.rows(f"SELECT any(version) FROM $published.{name} HAVING count() = 100")[0][0] for name in names]

    def publish(self, version: int, *names: str, full_refresh: bool = True) -> None:
        publishing.prepare(self.warehouse, full_refresh=full_refresh)
        self.build(version, *names)
        publishing.publish(self.warehouse)
