"""A file read as a load would read it, into a database that is dropped again: nothing of it is loaded."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from clickhouse_connect.driver.client import Client

from ingest import ledger, loading, raw_tables
from ingest.contract import Contract
from ingest.recognition import Options, Recognition, options_of
from ingest.tables import EVENTS, TABLES
from warehouse.connection import Warehouse
from warehouse.errors import FootfallError

# Stands in for a tenant where the user gave none, so that other reasons to reject a row are seen.
_ANY_TENANT = "(none)"


@dataclass(frozen=True)
class Found:
    """In how many rows there is something at one path of a field."""

    field: str
    path: str
    rows: int


@dataclass(frozen=True)
class Part:
    """The rows of a file that one contract reads: how many events they are, and what is found in them."""

    contract: Contract
    rows: int
    found: list[Found]


@dataclass(frozen=True)
class Rejection:
    """Rows that would be rejected for one reason, and where the first of them is."""

    reason: str
    rows: int
    first_line: int
    original: str


@dataclass(frozen=True)
class Trial:
    """What a load of the file would come to."""

    parts: list[Part]
    rejections: list[Rejection]
    rows_accepted: int
    rows_without_tenant: int
    sentences: list[str]


def of_file(warehouse: Warehouse, file: Path, options: Options) -> Trial:
    """Read a file of events. Raises FootfallError if it cannot be read at all, UsageError for a wrong option."""
    options.require(warehouse.settings, TABLES[EVENTS])
    with _aside(warehouse) as aside, aside.client() as client:
        raw = aside.settings.raw_database
        loader = loading.Loader(
            aside, TABLES[EVENTS], replace(options, tenant=options.tenant or _ANY_TENANT), accepts_any_share=True
        )
        result = loader.load(client, file, replace=False)
        if result.status == "failed":
            raise FootfallError(f"{file} cannot be loaded: {result.reason}")
        (load,) = [load for load in ledger.below(client, raw, str(file.absolute())) if load.load_id == result.load_id]
        without = client.query(
            "SELECT count() FROM {raw:Identifier}.events WHERE tenant_id = {any:String}",
            parameters={"raw": raw, "any": _ANY_TENANT},
        ).first_row[0]
        return Trial(
            parts=_parts(client, aside, load),
            rejections=_rejections(client, raw),
            rows_accepted=result.rows_accepted,
            rows_without_tenant=int(without),
            sentences=[text for text in result.findings.sentences if _ANY_TENANT not in text],
        )


@contextmanager
def _aside(warehouse: Warehouse) -> Iterator[Warehouse]:
    """The same server with a raw database of its own, which is dropped afterwards."""
    name = f"{warehouse.settings.raw_database}_trial_{ledger.new_load(EVENTS, '').load_id}"
    settings = warehouse.settings.model_copy(update={"raw_database": name, "database": name})
    aside = replace(warehouse, settings=settings)
    try:
        raw_tables.create(aside)
        yield aside
    finally:
        with aside.client() as client:
            client.command("DROP DATABASE IF EXISTS {name:Identifier} SYNC", parameters={"name": name})
        aside.close()


def _parts(client: Client, aside: Warehouse, load: ledger.Load) -> list[Part]:
    """Whose rows they are, most first, and what is found in them."""
    raw = aside.settings.raw_database
    counts = client.query(
        "SELECT tracker, sum(`rows`) AS n FROM {raw:Identifier}.load_counts WHERE is_read GROUP BY tracker "
        "ORDER BY n DESC, tracker",
        parameters={"raw": raw},
    ).result_rows
    options, columns = options_of(load.options)
    recognition = Recognition(aside.settings, TABLES[EVENTS], options, columns)
    parts = []
    for name, rows in counts:
        reading = recognition.reading(name)
        statement = reading.paths_found()
        given = {**statement.parameters, "raw": raw, "lines_of": load.load_id, "only": ""}
        (numbers,) = client.query(statement.sql, parameters=given).first_row
        listed = [(field, text) for field, rule in reading.contract.fields.items() for text in rule.texts]
        found = [Found(field, text, int(n)) for (field, text), n in zip(listed, numbers, strict=True)]
        parts.append(Part(reading.contract, int(rows), found))
    return parts


def _rejections(client: Client, raw: str) -> list[Rejection]:
    rows = client.query(
        "SELECT reason, count() AS n, min(line), argMin(original, line) FROM {raw:Identifier}.rejected_rows "
        "GROUP BY reason ORDER BY n DESC, reason",
        parameters={"raw": raw},
    ).result_rows
    return [Rejection(reason, int(n), int(line), original) for reason, n, line, original in rows]
