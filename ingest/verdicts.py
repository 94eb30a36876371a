"""What a load would say of rows, before they are in any file: the same statements, in a raw database of their own."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson
from clickhouse_connect.driver.client import Client

from ingest import ledger, narrowing, raw_tables, rereading, sending
from ingest.recognition import Options, Recognition
from ingest.tables import TABLES
from warehouse.connection import Warehouse


class Verdicts:
    """Judges rows by the contracts; one at a time. Its raw database is dropped by `close`."""

    def __init__(self, warehouse: Warehouse) -> None:
        name = f"{warehouse.settings.raw_database}_judged_{ledger.new_load('', '').load_id.replace('-', '_')}"
        settings = warehouse.settings.model_copy(update={"raw_database": name, "database": name})
        self._aside = replace(warehouse, settings=settings)
        self._raw = name
        raw_tables.create(self._aside)

    def close(self) -> None:
        """Drop what was made for judging."""
        with self._aside.client() as client:
            client.command("DROP DATABASE IF EXISTS {name:Identifier} SYNC", parameters={"name": self._raw})
        self._aside.close()

    def of(self, table: str, lines: Sequence[bytes]) -> list[str]:
        """Why each of these lines would be rejected; '' for one that would be accepted. No line holds a line break."""
        target = TABLES[table]
        load = ledger.new_load(table, "posted")
        recognition = Recognition(self._aside.settings, target, Options())
        # The rows are all here: their statement looks for no name that none of them has.
        rows = list(_parsed(lines))
        reading = recognition.reading(recognition.best(rows), narrowing.names_in(b"", rows))
        statement = reading.lines()
        parameters = rereading.parameters_of(self._raw, load) | statement.parameters
        body = sending.Body(iter([b"\n".join(lines), b"\n"]))
        with self._aside.client() as client:

            def stop() -> None:
                ledger.stop(client, self._raw, load.load_id)

            query_id = ledger.query_id(self._raw, load.load_id)
            sending.insert(self._aside, query_id, statement.sql, parameters, [body], stop)
            rereading.read_others(self._aside, client, load, recognition, reading, stop)
            reasons = self._reasons(client)
            for name in (table, *ledger.OF_ALL_TABLES):
                names = {"raw": self._raw, "name": name}
                client.command("TRUNCATE TABLE {raw:Identifier}.{name:Identifier}", parameters=names)
        return [reasons.get(number, "") for number in range(1, len(lines) + 1)]

    def _reasons(self, client: Client) -> dict[int, str]:
        rows = client.query(
            "SELECT line, min(reason) FROM {raw:Identifier}.rejected_rows GROUP BY line", parameters={"raw": self._raw}
        ).result_rows
        return {int(line): reason for line, reason in rows}


def _parsed(lines: Sequence[bytes]) -> Iterator[Any]:
    for line in lines:
        with suppress(orjson.JSONDecodeError):
            yield orjson.loads(line)
