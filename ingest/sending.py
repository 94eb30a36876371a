"""An INSERT and its data, sent to the warehouse over HTTP as they come, and what its answers mean.

Not by the driver: its INSERTs name a table, and cannot be the SELECT from their data that ours are.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import chain
from threading import Event

import httpx
from clickhouse_connect.driver.binding import format_bind_value
from clickhouse_connect.driver.exceptions import ClickHouseError

from ingest.file_problem import FileProblem
from warehouse.connection import Warehouse

_SETTINGS = {
    "async_insert": "0",
    "max_partitions_per_insert_block": "0",
    "output_format_json_escape_forward_slashes": "0",
    # 64-bit numbers keep being numbers in what columns are made into
    "output_format_json_quote_64bit_integers": "0",
    "output_format_json_quote_decimals": "0",
    "wait_end_of_query": "1",
    # a statement grows with the columns of a file
    "max_ast_elements": "1000000",
    "max_expanded_ast_elements": "10000000",
    # The server's memory stays flat, however big a file is: a few small blocks of rows are worked at, and few are
    # sorted and written at a time; each stream has its own.
    "input_format_parallel_parsing": "0",
    "input_format_max_block_size_bytes": str(4 << 20),
    "min_insert_block_size_rows": "262144",
    "min_insert_block_size_bytes": str(16 << 20),
}


# INSERTs at a time; more than a server's cores are of no use, and each takes memory there.
STREAMS = min(os.cpu_count() or 1, 4)


@dataclass(frozen=True)
class Body:
    """Data of one INSERT, and how many lines of the file come before it: the statement's parameter lines_before."""

    chunks: Iterator[bytes]
    lines_before: int = 0


def insert(
    warehouse: Warehouse,
    query_id: str,
    sql: str,
    parameters: Mapping[str, object],
    bodies: Sequence[Body],
    stop: Callable[[], None],
) -> None:
    """Runs an INSERT once for each body, some at a time, called `query_id` and their number on the server.

    Once this returns or raises, nothing of it runs on, neither here nor there: if one INSERT fails, or Ctrl-C is
    pressed, no more is sent, and `stop` is called, which has to end the others on the server. Raises FileProblem for
    what is the file's fault, ClickHouseError for what is not, and whatever the bodies raise.

    An INSERT whose rows are in the warehouse has one body, which is empty.
    """
    statement = f"{sql}\n".encode()
    query = {
        **_SETTINGS,
        # the server keeps as much of the body in memory as a statement may have
        "max_query_size": str(len(statement) + 1000),
        **{f"param_{name}": str(format_bind_value(value)) for name, value in parameters.items()},
    }
    is_over = Event()
    pool = ThreadPoolExecutor(STREAMS)
    try:
        answers = [
            pool.submit(
                _post,
                warehouse,
                {**query, "query_id": f"{query_id}-{number}", "param_lines_before": str(body.lines_before)},
                # the statement goes before the data: an address has no room for that of many columns
                chain([statement], _until(is_over, body.chunks)),
            )
            for number, body in enumerate(bodies)
        ]
        for answer in as_completed(answers):
            answer.result()
    except BaseException:
        is_over.set()
        stop()
        _wait_for_all(pool)
        stop()  # for one that had only just begun
        raise
    finally:
        _wait_for_all(pool)


class _Over(Exception):
    """Nobody waits for the rest of a body any more."""


def _until(is_over: Event, chunks: Iterator[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        if is_over.is_set():
            raise _Over
        yield chunk


def _wait_for_all(pool: ThreadPoolExecutor) -> None:
    """Wait for the last thread, whoever presses Ctrl-C again: the lock that its writing needs is ours until then."""
    while True:
        try:
            pool.shutdown(cancel_futures=True)
            return
        except KeyboardInterrupt:
            continue


def _post(warehouse: Warehouse, query: dict[str, str], content: Iterator[bytes]) -> None:
    try:
        with httpx.Client(timeout=None, trust_env=False) as http:
            answer = http.post(
                f"{'https' if warehouse.secure else 'http'}://{warehouse.host}:{warehouse.port}/",
                params=query,
                auth=(warehouse.user, warehouse.password.get_secret_value()),
                content=content,
            )
    except httpx.InvalidURL:
        raise FileProblem(
            "it has too many columns, or their names are too long", "Leave some out, or give them shorter names."
        ) from None
    except httpx.HTTPError:
        raise ClickHouseError(
            "the warehouse went away while the file was being loaded; nothing of it is visible, load it again"
        ) from None
    if answer.status_code != httpx.codes.OK:
        raise _problem(answer.text)


def _problem(answer: str) -> Exception:
    """The server's answer as a problem of the file where it is one, else as an error of the database."""
    message = re.sub(r"\s*\(version [^)]*\)\s*$", "", answer.strip().splitlines()[0] if answer.strip() else "no answer")
    message = re.sub(r"^Code: \d+\. DB::(Parsing)?Exception: ", "", message)
    if "CANNOT_PARSE" in answer or "INCORRECT_DATA" in answer or "Cannot parse" in answer:
        return FileProblem(f"the file is not readable as JSON ({message[:200]})")
    if "NOT_ENOUGH_SPACE" in answer or "No space left" in answer:
        return ClickHouseError("the disk is full; nothing of the file is visible. Make room and load it again.")
    return ClickHouseError(message)
