"""Reads PostgreSQL: one read-only snapshot of all tables, in UTC, of which COPY gives the allowed columns as text.

PostgreSQL's COPY text is ClickHouse's TSV, so what it sends goes on as it comes.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row
from pydantic import SecretStr

from ingest.sources.contract import SourceContract, SourceTable, Spelling, spelled
from warehouse.errors import FootfallError, UsageError

_CONNECT_SECONDS = 15
_STATEMENT_SECONDS = 3600
# So far behind the latest row what is appended is read again: a row that began earlier may be committed later.
_OVERLAP_SECONDS = 15 * 60
_INTEGERS = {"bigint", "integer", "smallint", "numeric"}

_COLUMNS: LiteralString = """
    SELECT columns.table_schema, columns.table_name, columns.column_name, columns.data_type,
        has_column_privilege(
            quote_ident(columns.table_schema) || '.' || quote_ident(columns.table_name), columns.column_name, 'SELECT'
        )
    FROM (
        SELECT n.nspname AS table_schema, c.relname AS table_name, a.attname AS column_name,
            format_type(a.atttypid, NULL) AS data_type
        FROM pg_attribute AS a
        JOIN pg_class AS c ON a.attrelid = c.oid
        JOIN pg_namespace AS n ON c.relnamespace = n.oid
        WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
            AND has_schema_privilege(n.oid, 'USAGE')
            AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND c.relname = ANY(%s)
        ORDER BY n.nspname != 'public', n.nspname, c.relname, a.attnum
    ) AS columns
"""


class SourceAway(FootfallError):
    """A source that does not answer: the one failure that may be over when somebody tries again."""


@dataclass(frozen=True)
class Place:
    """Where a source is; the password is of its address, or apart."""

    name: str
    address: SecretStr
    password: SecretStr | None = None

    @property
    def variable(self) -> str:
        """The variable of the environment that says so."""
        return variable_of(self.name)


def variable_of(name: str) -> str:
    """The variable of the environment with the address of a source."""
    return f"FOOTFALL_SOURCE_{name.upper()}"


def place_of(name: str) -> Place | None:
    """Where the environment says that a source is; None if it says nothing."""
    address = os.environ.get(variable_of(name), "")
    password = os.environ.get(f"{variable_of(name)}_PASSWORD", "")
    return Place(name, SecretStr(address), SecretStr(password) if password else None) if address else None


def require_place(name: str) -> Place:
    """The same. Raises UsageError if the environment says nothing."""
    place = place_of(name)
    if place is None:
        raise UsageError(
            f"It is not known where the source {name} is.",
            f"Set {variable_of(name)} to its address: postgresql://reader@host:5432/database, and the password to"
            f" {variable_of(name)}_PASSWORD.",
        )
    return place


@dataclass(frozen=True)
class Found:
    """A column of the database: its type, and whether the role may read it."""

    data_type: str
    is_granted: bool


@dataclass(frozen=True)
class FoundTable:
    """A table of the contract as the database has it: from what each column is read ('' = it is absent)."""

    table: SourceTable
    schema: str
    name: str
    columns: dict[str, Spelling | None]
    found: dict[str, Found]

    @property
    def missing(self) -> list[str]:
        """Required columns that are not there."""
        return [name for name, column in self.table.columns.items() if column.required and self.columns[name] is None]

    @property
    def refused(self) -> list[str]:
        """Columns that are there, and that the role may not read."""
        names = [spelling.name for spelling in self.columns.values() if spelling]
        return sorted({name for name in names if not self.found[name].is_granted})


class Source:
    """An open snapshot of a source."""

    def __init__(self, connection: psycopg.Connection, place: Place) -> None:
        self._connection = connection
        self._place = place

    def tables(self, contract: SourceContract) -> dict[str, FoundTable]:
        """The tables of the contract that the database has, by their names in the contract."""
        names = [name for table in contract.tables.values() for name in table.names]
        with _plainly(self._place), self._connection.cursor(row_factory=tuple_row) as cursor:
            rows = cursor.execute(_COLUMNS, [names]).fetchall()
        columns: dict[tuple[str, str], dict[str, Found]] = {}
        for schema, table, column, data_type, is_granted in rows:
            columns.setdefault((schema, table), {})[column] = Found(data_type, is_granted)
        found = {}
        for table in contract.tables.values():
            for place in sorted(columns, key=lambda one: table.names.index(one[1]) if one[1] in table.names else 99):
                if place[1] in table.names:
                    found[table.name] = FoundTable(table, *place, _spellings(table, columns[place]), columns[place])
                    break
        return found

    def latest(self, found: FoundTable) -> str:
        """The latest cursor of a table that is appended to, as the source has it; '' if it has no row."""
        query = sql.SQL("SELECT max({})::text FROM {}").format(_expression(_cursor(found)), _table(found))
        with _plainly(self._place), self._connection.cursor(row_factory=tuple_row) as cursor:
            row = cursor.execute(query).fetchone()
        return str(row[0]) if row and row[0] is not None else ""

    def text(self, found: FoundTable, behind: str = "") -> Iterator[bytes]:
        """The rows of a table as COPY text, all columns of its contract in their order, those that are absent NULL.

        Of a table that is appended to those from a quarter of an hour before the cursor `behind` on.
        """
        copy_rows = sql.SQL("COPY ({}) TO STDOUT").format(self._query(found, behind))
        with _plainly(self._place), self._connection.cursor() as cursor, cursor.copy(copy_rows) as copy:
            for chunk in copy:
                yield bytes(chunk)

    def rows(self, found: FoundTable, behind: str = "") -> Iterator[tuple[str | None, ...]]:
        """The same, as rows of texts."""
        copy_rows = sql.SQL("COPY ({}) TO STDOUT").format(self._query(found, behind))
        with _plainly(self._place), self._connection.cursor() as cursor, cursor.copy(copy_rows) as copy:
            yield from copy.rows()

    def _query(self, found: FoundTable, behind: str) -> sql.Composed:
        columns = [
            sql.SQL("NULL::text") if spelling is None else sql.SQL("({})::text").format(_expression(spelling))
            for spelling in found.columns.values()
        ]
        query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(columns), _table(found))
        if not behind:
            return query
        spelling = _cursor(found)
        if found.found[spelling.name].data_type in _INTEGERS:
            since: sql.Composable = sql.Literal(int(behind) - _OVERLAP_SECONDS * _unit(int(behind)))
        else:
            since = sql.SQL("{}::timestamptz - {}::interval").format(
                sql.Literal(behind), sql.Literal(f"{_OVERLAP_SECONDS} seconds")
            )
        return query + sql.SQL(" WHERE {} > {}").format(_expression(spelling), since)


@contextmanager
def opened(place: Place) -> Iterator[Source]:
    """One read-only snapshot of a source: all that is read while it is open is of the same moment.

    Raises FootfallError if the source is away or turns the role away.
    """
    with _plainly(place):
        connection = psycopg.connect(
            place.address.get_secret_value(),
            password=place.password.get_secret_value() if place.password else None,
            connect_timeout=_CONNECT_SECONDS,
            application_name="footfall",
        )
    try:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        with _plainly(place):
            for setting, value in (
                ("timezone", "UTC"),
                ("datestyle", "ISO"),
                # a policy of rows raises an error, rather than hiding rows
                ("row_security", "off"),
                ("statement_timeout", f"{_STATEMENT_SECONDS}s"),
            ):
                connection.execute("SELECT set_config(%s, %s, true)", [setting, value])
        yield Source(connection, place)
    finally:
        connection.close()


def grants(tables: dict[str, FoundTable], role: str = "footfall_reader") -> list[str]:
    """The statements that make a role which can read what the contract reads, and nothing else."""
    lines = [f"CREATE ROLE {role} LOGIN; -- and a password: \\password {role}"]
    lines += [
        f"GRANT USAGE ON SCHEMA {schema} TO {role};" for schema in sorted({one.schema for one in tables.values()})
    ]
    for found in tables.values():
        names = dict.fromkeys(spelling.name for spelling in found.columns.values() if spelling)
        lines.append(f"GRANT SELECT ({', '.join(names)}) ON {found.schema}.{found.name} TO {role};")
    return lines


def _spellings(table: SourceTable, columns: dict[str, Found]) -> dict[str, Spelling | None]:
    """From what each column is read: of its spellings that are there the first that may be read, else the first."""
    found = {}
    for name, column in table.columns.items():
        there = [one for one in map(spelled, column.spellings) if one.name in columns]
        granted = [one for one in there if columns[one.name].is_granted]
        found[name] = next(iter(granted or there), None)
    return found


def _cursor(found: FoundTable) -> Spelling:
    spelling = found.columns[found.table.cursor]
    if spelling is None:
        raise FootfallError(
            f"The table {found.name} has no {found.table.cursor}, by which its new rows are known.",
            "Give it one, or read it from files.",
        )
    return spelling


def _expression(spelling: Spelling) -> sql.Composable:
    name = sql.Identifier(spelling.name)
    if spelling.is_size:
        return sql.SQL("octet_length({}::text)").format(name)
    return sql.SQL("{}::jsonb->>{}").format(name, sql.Literal(spelling.key)) if spelling.key else name


def _table(found: FoundTable) -> sql.Composable:
    return sql.Identifier(found.schema, found.name)


def _unit(moment: int) -> int:
    """How many units of Unix time a second has, by the size of a moment."""
    return next((unit for least, unit in ((10**17, 10**9), (10**14, 10**6), (10**11, 10**3)) if moment >= least), 1)


@contextmanager
def _plainly(place: Place) -> Iterator[None]:
    """What PostgreSQL says, as a sentence without the address and the password."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise FootfallError(
            f"The source {place.name} refuses: {_first_line(error)}.",
            f"`footfall sources grants {place.name}` prints the grants that the role needs.",
        ) from None
    except psycopg.OperationalError as error:
        raise SourceAway(
            f"The source {place.name} does not answer: {_without_secret(_first_line(error), place)}.",
            f"Is {place.variable} right, and is the database up? The same command goes on from what was there before.",
        ) from None
    except psycopg.Error as error:
        raise FootfallError(
            f"The source {place.name} could not be read: {_without_secret(_first_line(error), place)}.",
            f"`footfall sources check {place.name}` says what is there.",
        ) from None


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__


def _without_secret(text: str, place: Place) -> str:
    for secret in (place.password, place.address):
        if secret and secret.get_secret_value():
            text = text.replace(secret.get_secret_value(), "***")
    return text
