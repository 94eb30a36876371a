"""The database people read and the one beside it: what stands in them, and the single steps of publishing.

Which step is taken when, and what may be published, is for `warehouse.publishing` to say.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from clickhouse_connect.driver.binding import quote_identifier
from clickhouse_connect.driver.client import Client

from warehouse.connection import Warehouse
from warehouse.errors import FootfallError
from warehouse.journal import ABSENT, Pair

Side = Literal["published", "next"]


@dataclass(frozen=True)
class TableOrView:
    """A table or view as it stands."""

    uuid: UUID
    engine: str
    create_query: str

    @property
    def is_view(self) -> bool:
        """Whether it is an ordinary view."""
        return self.engine == "View"

    @property
    def is_cloneable(self) -> bool:
        """Whether it is a table that can share its parts with a clone."""
        return self.engine.endswith("MergeTree")

    def names_of(self, database: str) -> set[str]:
        """The names behind `database.` in the definition of a view; of a table none."""
        return set(re.findall(rf"(?<![\w.])`?{database}`?\.`?(\w+)", self.create_query)) if self.is_view else set()


def uuid_of(objects: dict[str, TableOrView], name: str) -> UUID:
    """The UUID of what has this name; `ABSENT` if nothing has."""
    return objects[name].uuid if name in objects else ABSENT


class Databases:
    """Both databases of a warehouse; `names` has theirs, and that of the raw one."""

    def __init__(self, warehouse: Warehouse, client: Client) -> None:
        self._client = client
        self._on_cluster = warehouse.on_cluster
        settings = warehouse.settings
        self.names = {
            "raw": settings.raw_database,
            "published": settings.database,
            "next": settings.next_database,
        }

    def create(self) -> None:
        """Makes the databases that are not there yet."""
        for database in self.names:
            self._ddl(f"CREATE DATABASE IF NOT EXISTS {{{database}:Identifier}}")

    def objects(self, side: Side) -> dict[str, TableOrView]:
        """What stands in a database, by name."""
        rows = self._client.query(
            "SELECT name, uuid, engine, create_table_query FROM system.tables WHERE database = {database:String}"
            " AND NOT is_temporary ORDER BY name",
            parameters={"database": self.names[side]},
        ).result_rows
        return {name: TableOrView(uuid, engine, create_query) for name, uuid, engine, create_query in rows}

    def stop_statements(self) -> None:
        """Ends what still runs beside: a build that was killed has left its last statements, for nobody."""
        self._client.command(
            "KILL QUERY WHERE current_database = {next:String} AND user = currentUser() SYNC", parameters=self.names
        )

    def clone(self, names: list[str]) -> None:
        """Makes zero-copy clones of published tables beside."""
        patched = self._tables_with_patches()
        for name in names:
            self._clone(name, has_patches=name in patched)

    def _clone(self, name: str, *, has_patches: bool) -> None:
        if has_patches:
            # Parts with deletions not yet merged into them cannot be cloned. No reader sees a difference.
            self._ddl(
                "ALTER TABLE {published:Identifier}.{name:Identifier}",
                " APPLY PATCHES",
                {"name": name},
                {"mutations_sync": 2},
            )
        # ClickHouse takes no parameters behind CLONE AS.
        original = f"{quote_identifier(self.names['published'])}.{quote_identifier(name)}"
        self._ddl("CREATE TABLE {next:Identifier}.{name:Identifier}", f" CLONE AS {original}", {"name": name})

    def create_view(self, view: TableOrView, name: str, *, says: Side, new_name: str) -> None:
        """Creates, beside, a view that says in terms of database `says` what `view` says in terms of the other."""
        from_database = self.names["next" if says == "published" else "published"]
        to_database = self.names[says]
        text = re.sub(rf"(?<![\w.])(`?){from_database}\1\.", rf"\1{to_database}\1.", view.create_query)
        head = re.compile(rf"CREATE VIEW `?{to_database}`?\.(`[^`]+`|\w+)")
        text, found = head.subn(f"CREATE VIEW `{self.names['next']}`.`{new_name}`{self._on_cluster}", text, count=1)
        if not found:
            raise FootfallError(
                f"The view {from_database}.{name} cannot be carried over: it has an unexpected definition."
            )
        self._client.command(text)

    def drop(self, name: str, existing: TableOrView) -> None:
        """Drops what stands beside under this name."""
        kind = {"View": "VIEW", "Dictionary": "DICTIONARY"}.get(existing.engine, "TABLE")
        # Clones count with their full size, so ClickHouse's guard against dropping much would stop us.
        self._ddl(
            f"DROP {kind} IF EXISTS {{next:Identifier}}.{{name:Identifier}}",
            "",
            {"name": name},
            {"max_table_size_to_drop": 0, "max_partition_size_to_drop": 0},
        )

    def swap(self, pair: Pair) -> None:
        """Puts each of the two where the other is; one that is alone changes sides. Raises DatabaseError."""
        one, other = "{published:Identifier}.{name:Identifier}", "{next:Identifier}.{next_name:Identifier}"
        if pair.uuid == ABSENT:
            statement = f"RENAME TABLE {other} TO {one}"
        elif pair.next_uuid == ABSENT:
            statement = f"RENAME TABLE {one} TO {other}"
        else:
            statement = f"EXCHANGE TABLES {one} AND {other}"
        self._ddl(statement, "", {"name": pair.name, "next_name": pair.next_name})

    def _tables_with_patches(self) -> set[str]:
        rows = self._client.query(
            "SELECT DISTINCT table FROM system.parts WHERE active AND database = {published:String}"
            " AND startsWith(name, 'patch-')",
            parameters=self.names,
        ).result_rows
        return {table for (table,) in rows}

    def _ddl(
        self, before: str, after: str = "", names: dict[str, str] | None = None, settings: dict[str, Any] | None = None
    ) -> None:
        """Runs one statement; `before` and `after` stand around the ON CLUSTER clause."""
        self._client.command(
            before + self._on_cluster + after, parameters=self.names | (names or {}), settings=settings
        )
