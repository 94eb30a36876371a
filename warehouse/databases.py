"""The database people read and the one beside it: what is in them, and the single steps of publishing.

Which step is taken when, and what may be published, is for `warehouse.publishing` to say.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal
from uuid import UUID

from clickhouse_connect.driver.binding import quote_identifier
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from warehouse.connection import Warehouse
from warehouse.errors import FootfallError
from warehouse.journal import ABSENT, Made, Pair

Side = Literal["published", "next"]

# The server's code for what its databases cannot do: some swap one pair in a statement, not several.
_NOT_IMPLEMENTED = 48


# Blocks are numbered as they are written, and so are mutations; a merge keeps the numbers of what it merges.
_MADE = """
SELECT tables.name, tables.uuid, columns.hash, parts.last_block, parts.settled_rows
FROM system.tables AS tables
LEFT JOIN (
    SELECT table, cityHash64(arraySort(groupArray((position, name, type)))) AS hash
    FROM system.columns
    WHERE database = {published:String}
    GROUP BY table
) AS columns ON columns.table = tables.name
LEFT JOIN (
    SELECT
        table,
        max(greatest(max_block_number, data_version)) AS last_block,
        if(countIf(has_lightweight_delete OR startsWith(name, 'patch-')) = 0, sum(rows), 0) AS settled_rows
    FROM system.parts
    WHERE active AND database = {published:String}
    GROUP BY table
) AS parts ON parts.table = tables.name
WHERE tables.database = {published:String} AND NOT tables.is_temporary
SETTINGS join_use_nulls = 0
"""


@dataclass(frozen=True)
class TableOrView:
    """A table or view as it is."""

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


def _statement(pair: Pair) -> str:
    """What swaps this pair."""
    return "RENAME TABLE" if ABSENT in (pair.uuid, pair.next_uuid) else "EXCHANGE TABLES"


class Databases:
    """Both databases of a warehouse; `names` has theirs, and that of the raw one."""

    def __init__(self, warehouse: Warehouse, client: Client) -> None:
        self._client = client
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
        """What is in a database, by name."""
        rows = self._client.query(
            "SELECT name, uuid, engine, create_table_query FROM system.tables WHERE database = {database:String}"
            " AND NOT is_temporary ORDER BY name",
            parameters={"database": self.names[side]},
        ).result_rows
        return {name: TableOrView(uuid, engine, create_query) for name, uuid, engine, create_query in rows}

    def made(self) -> dict[str, Made]:
        """How the published tables and views are at the moment, by name."""
        rows = self._client.query(_MADE, parameters=self.names).result_rows
        return {row[0]: Made(*row) for row in rows}

    def stop_statements(self) -> None:
        """Ends what still runs beside: a build that was killed has left its last statements, for nobody."""
        self._client.command(
            "KILL QUERY WHERE current_database = {next:String} AND user = currentUser() SYNC", parameters=self.names
        )

    def clone(self, names: list[str]) -> None:
        """Makes zero-copy clones of published tables beside; deletions of theirs are applied in both."""
        patched = self._tables_with_patches()
        for name in names:
            self._clone(name, has_patches=name in patched)

    def _clone(self, name: str, *, has_patches: bool) -> None:
        if has_patches:
            # Parts with deletions not yet merged into them cannot be cloned. No reader sees a difference.
            self._ddl(
                "ALTER TABLE {published:Identifier}.{name:Identifier} APPLY PATCHES",
                {"name": name},
                {"mutations_sync": 2},
            )
        # CLONE AS would do both, but not on every server. ClickHouse takes no parameters behind AS and FROM.
        original = f"{quote_identifier(self.names['published'])}.{quote_identifier(name)}"
        clone = "TABLE {next:Identifier}.{name:Identifier}"
        self._ddl(f"CREATE {clone} AS {original}", {"name": name})
        self._ddl(f"ALTER {clone} ATTACH PARTITION ALL FROM {original}", {"name": name})

    def rewrite_marked_rows(self) -> None:
        """Writes the parts of published tables again that hold rows which are only marked as deleted."""
        for change, tables in (("APPLY PATCHES", self._tables_with_patches()), ("APPLY DELETED MASK", self._marked())):
            for name in sorted(tables):
                self._ddl(
                    f"ALTER TABLE {{published:Identifier}}.{{name:Identifier}} {change}",
                    {"name": name},
                    {"mutations_sync": 2},
                )

    def tell_what_is_rebuilt(self, rebuild: Mapping[str, str]) -> None:
        """Writes, beside, the table in which dbt finds the models that it builds from nothing, if there are any."""
        self._ddl("DROP TABLE IF EXISTS {next:Identifier}.changed_models")
        if rebuild:
            self._ddl(
                "CREATE TABLE {next:Identifier}.changed_models (name String, why String) ENGINE = MergeTree"
                " ORDER BY name COMMENT 'Models that this build makes from nothing'",
            )
            rows = [list(item) for item in sorted(rebuild.items())]
            self._client.insert("changed_models", rows, column_names=["name", "why"], database=self.names["next"])

    def create_view(self, view: TableOrView, name: str, *, says: Side, new_name: str) -> None:
        """Creates, beside, a view that says in terms of database `says` what `view` says in terms of the other."""
        from_database = self.names["next" if says == "published" else "published"]
        to_database = self.names[says]
        text = re.sub(rf"(?<![\w.])(`?){from_database}\1\.", rf"\1{to_database}\1.", view.create_query)
        head = re.compile(rf"CREATE VIEW `?{to_database}`?\.(`[^`]+`|\w+)")
        text, found = head.subn(f"CREATE VIEW `{self.names['next']}`.`{new_name}`", text, count=1)
        if not found:
            raise FootfallError(
                f"The view {from_database}.{name} cannot be carried over: it has an unexpected definition."
            )
        self._client.command(text)

    def drop(self, name: str, existing: TableOrView) -> None:
        """Drops what is beside under this name."""
        kind = {"View": "VIEW", "Dictionary": "DICTIONARY"}.get(existing.engine, "TABLE")
        # Clones count with their full size, so ClickHouse's guard against dropping much would stop us.
        self._ddl(
            f"DROP {kind} IF EXISTS {{next:Identifier}}.{{name:Identifier}}",
            {"name": name},
            {"max_table_size_to_drop": 0, "max_partition_size_to_drop": 0},
        )

    def swap(self, pairs: Sequence[Pair]) -> None:
        """Puts the two of each pair where the other is, in this order; one that is alone changes sides.

        Neighbours that need the same kind of statement share one, so that readers hardly ever meet two versions. The
        server does its pairs one after another: when it raises DatabaseError, some of them may be done.
        """
        for statement, alike in groupby(pairs, key=_statement):
            together = list(alike)
            try:
                self._swap(statement, together)
            except DatabaseError as error:
                if error.code != _NOT_IMPLEMENTED or len(together) == 1:
                    raise
                for pair in together:
                    self._swap(statement, [pair])

    def _swap(self, statement: str, pairs: Sequence[Pair]) -> None:
        steps: list[str] = []
        names: dict[str, str] = {}
        for number, pair in enumerate(pairs):
            one = f"{{published:Identifier}}.{{name_{number}:Identifier}}"
            other = f"{{next:Identifier}}.{{next_name_{number}:Identifier}}"
            if pair.uuid == ABSENT:
                steps.append(f"{other} TO {one}")
            elif pair.next_uuid == ABSENT:
                steps.append(f"{one} TO {other}")
            else:
                steps.append(f"{one} AND {other}")
            names |= {f"name_{number}": pair.name, f"next_name_{number}": pair.next_name}
        self._ddl(f"{statement} {', '.join(steps)}", names)

    def _tables_with_patches(self) -> set[str]:
        rows = self._client.query(
            "SELECT DISTINCT table FROM system.parts WHERE active AND database = {published:String}"
            " AND startsWith(name, 'patch-')",
            parameters=self.names,
        ).result_rows
        return {table for (table,) in rows}

    def _marked(self) -> set[str]:
        rows = self._client.query(
            "SELECT DISTINCT table FROM system.parts WHERE active AND database = {published:String}"
            " AND has_lightweight_delete",
            parameters=self.names,
        ).result_rows
        return {table for (table,) in rows}

    def _ddl(self, statement: str, names: dict[str, str] | None = None, settings: dict[str, Any] | None = None) -> None:
        self._client.command(statement, parameters=self.names | (names or {}), settings=settings)
