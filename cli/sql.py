"""`footfall sql`: one query, streamed to stdout in any ClickHouse format."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import httpx

from cli.errors import first_clickhouse_line
from warehouse.connection import Warehouse, connect
from warehouse.errors import FootfallError
from warehouse.lock import exclusive
from warehouse.settings import get_settings

_READABLE = "PrettyCompactMonoBlock"
# What the server lets pass although it only reads: INSERT INTO FUNCTION, and KILL.
_WRITES = re.compile(r"\s*(INSERT|KILL)\b", re.IGNORECASE)


def run_sql(query: str, output_format: str | None, *, write: bool = False) -> None:
    """Run the query with the published database as default; raises FootfallError with the server's first line.

    The server refuses whatever writes, unless `write`: then this command is the one writer for that time.
    """
    if not write and _WRITES.match(query):
        raise _only_reads()
    with connect(get_settings()) as warehouse, exclusive(warehouse, "sql") if write else nullcontext():
        if warehouse.settings.is_local:
            _create_published(warehouse)
        with _answer(warehouse, query, output_format or _READABLE, write=write) as answer:
            if answer.status_code != httpx.codes.OK:
                raise _failure(answer.read().decode(errors="replace"), warehouse.settings.database)
            try:
                for block in answer.iter_bytes():
                    sys.stdout.buffer.write(block)
            except httpx.RemoteProtocolError:
                # The server broke the answer off: what it says about it is at the end of what came.
                sys.stdout.buffer.flush()
                raise FootfallError(
                    "The query failed after its first rows.", "The last lines of the output say why."
                ) from None
        sys.stdout.flush()


@contextmanager
def _answer(warehouse: Warehouse, query: str, output_format: str, *, write: bool) -> Iterator[httpx.Response]:
    parameters = {
        "database": warehouse.settings.database,
        # A default only: a FORMAT clause in the query itself wins.
        "default_format": output_format,
        "output_format_pretty_row_numbers": "0",
        "output_format_pretty_color": "1" if sys.stdout.isatty() else "0",
        "output_format_pretty_max_rows": "10000",
    }
    if not write:
        parameters["readonly"] = "2"  # reads only; a query's own SETTINGS are fine
    scheme = "https" if warehouse.secure else "http"
    with (
        httpx.Client(base_url=f"{scheme}://{warehouse.host}:{warehouse.port}", timeout=None) as client,
        client.stream(
            "POST",
            "/",
            params=parameters,
            content=query.strip().rstrip(";").encode(),
            headers={
                "X-ClickHouse-User": warehouse.user,
                "X-ClickHouse-Key": warehouse.password.get_secret_value(),
            },
        ) as answer,
    ):
        yield answer


def _create_published(warehouse: Warehouse) -> None:
    """So that a query which names no table of ours (`SELECT 1`) works on a warehouse that is still empty."""
    with warehouse.client() as client:
        client.command("CREATE DATABASE IF NOT EXISTS {db:Identifier}", parameters={"db": warehouse.settings.database})


def _only_reads() -> FootfallError:
    return FootfallError("This statement writes, and footfall sql only reads.", "With --write it is run.")


def _failure(answer: str, database: str) -> FootfallError:
    if "Code: 164." in answer and "readonly mode" in answer:
        return _only_reads()
    if "UNKNOWN_DATABASE" in answer and f" {database} " in answer.replace("`", " ").replace("'", " "):
        return FootfallError(
            f"There is no database {database!r} yet.", "Load something and build it: footfall load events PATH."
        )
    next_step = 'footfall sql "SHOW TABLES" lists what there is.' if "UNKNOWN_TABLE" in answer else ""
    return FootfallError(first_clickhouse_line(answer), next_step)
