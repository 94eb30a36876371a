"""What a load would say of rows, before they are in any file: the same statements, in a raw database of their own."""

import hashlib
import platform
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import orjson
from clickhouse_connect.driver.client import Client

from ingest import landing, landing_folder, ledger, narrowing, raw_tables, rereading, sending
from ingest.recognition import Recognition
from ingest.tables import TABLES
from warehouse.connection import Warehouse

# Of so many rows is looked whose they are, evenly; those of another tracker than most are read by themselves anyway.
_LOOKED_AT = 20


@dataclass(frozen=True)
class Verdict:
    """Why a row would be rejected, '' if it would not; and the tenants that it would be of (none if it is rejected)."""

    reason: str
    tenants: frozenset[str]


class Verdicts:
    """Judges rows by the contracts; one at a time in a home. Its raw database is dropped by `close`."""

    def __init__(self, warehouse: Warehouse) -> None:
        # The same name each time, so that nothing is left for ever by a process that was killed.
        place = f"{platform.node()}:{warehouse.settings.home}"
        self._raw = f"{warehouse.settings.raw_database}_judged_{hashlib.sha256(place.encode()).hexdigest()[:16]}"
        settings = warehouse.settings.model_copy(update={"raw_database": self._raw, "database": self._raw})
        self._aside = replace(warehouse, settings=settings)
        self._drop()
        raw_tables.create(self._aside)

    def close(self) -> None:
        """Drop what was made for judging."""
        self._drop()
        self._aside.close()

    def of(self, table: str, lines: Sequence[bytes]) -> list[Verdict]:
        """What would become of each of these lines if they lay in today's landing folder. No line holds a line break.

        Raises FootfallError if a footfall.yml of the landing folder cannot be used.
        """
        target = TABLES[table]
        load = ledger.new_load(table, "posted")
        options = landing.options_of_day(self._aside.settings, target, landing_folder.today().isoformat())
        recognition = Recognition(self._aside.settings, target, options)
        # The rows are all here: their statement looks for no name that none of them has.
        rows = list(_parsed(lines))
        some = rows[:: len(rows) // _LOOKED_AT + 1]
        reading = recognition.reading(recognition.best(some), narrowing.names_in(b"", rows))
        statement = reading.lines()
        parameters = rereading.parameters_of(self._raw, load) | statement.parameters
        body = sending.Body(iter([b"\n".join(lines), b"\n"]))
        with self._aside.client() as client:

            def stop() -> None:
                ledger.stop(client, self._raw, load.load_id)

            query_id = ledger.query_id(self._raw, load.load_id)
            try:
                sending.insert(self._aside, query_id, statement.sql, parameters, [body], stop)
                rereading.read_others(self._aside, client, load, recognition, reading, stop)
                return self._found(client, load, len(lines))
            finally:
                for name in (table, *ledger.OF_ALL_TABLES):
                    names = {"raw": self._raw, "name": name}
                    client.command("TRUNCATE TABLE {raw:Identifier}.{name:Identifier}", parameters=names)

    def _found(self, client: Client, load: ledger.Load, count: int) -> list[Verdict]:
        given = {"raw": self._raw, "table": load.table, "load_id": load.load_id}
        rejected = client.query(
            "SELECT line, min(reason) FROM {raw:Identifier}.rejected_rows WHERE load_id = {load_id:String} "
            "GROUP BY line",
            parameters=given,
        ).result_rows
        accepted = client.query(
            "SELECT tenant_id, groupUniqArray(line) FROM {raw:Identifier}.{table:Identifier} "
            "WHERE load_id = {load_id:String} GROUP BY tenant_id",
            parameters=given,
        ).result_rows
        reasons = {int(line): str(reason) for line, reason in rejected}
        tenants: dict[int, frozenset[str]] = {}
        for tenant, lines in accepted:
            one = frozenset([str(tenant)])
            for line in lines:
                tenants[line] = tenants[line] | one if line in tenants else one
        numbers = range(1, count + 1)
        return [Verdict(reasons.get(number, ""), tenants.get(number, frozenset())) for number in numbers]

    def _drop(self) -> None:
        with self._aside.client() as client:
            client.command("DROP DATABASE IF EXISTS {name:Identifier} SYNC", parameters={"name": self._raw})


def _parsed(lines: Sequence[bytes]) -> Iterator[Any]:
    for line in lines:
        with suppress(orjson.JSONDecodeError):
            yield orjson.loads(line)
