"""A client that tries again what the network or a restarting server broke off, where that can do no harm."""

import logging
import re
from collections.abc import Callable
from typing import Any, TypeVar, cast

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, Error
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_exponential_jitter
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, NewConnectionError

_log = logging.getLogger(__name__)

# As long as a server takes to restart; whoever waits for a command would rather know after that.
_RETRY_SECONDS = 20.0
# The server turned the statement away before it began: too many at a time.
_NOT_BEGUN = {202}
# Network errors behind the server, and too many parts at the moment: the statement may have done something.
_BROKEN_OFF = {32, 209, 210, 252}
# Statements that give the same twice as once; SELECT and the like come as queries.
_REPEATABLE = re.compile(
    r"\s*(SELECT|KILL QUERY|OPTIMIZE TABLE|TRUNCATE TABLE|DELETE FROM|SYSTEM FLUSH|CREATE OR REPLACE"
    r"|(CREATE|DROP) \w+ IF (NOT )?EXISTS|ALTER TABLE \S+\s+(ADD COLUMN IF NOT EXISTS|APPLY PATCHES))\b"
)

Result = TypeVar("Result")


def retrying(client: Client, where: str, may_come_back: Callable[[], bool]) -> Client:
    """The client, but with methods that are patient: `query`, `query_df`, `command` and `insert`.

    Reads and statements that may be repeated are, for up to 20 s, after a network error or while the server restarts;
    all others only if they never reached it. Rows of `insert` may come twice (the driver itself sends them again), so
    they go into tables that keep one version of a row. `where` is the server's name for the log; no attempt is made
    any more once `may_come_back` says no.
    """
    return cast(Client, _Retrying(client, where, may_come_back))


class _Retrying:
    def __init__(self, client: Client, where: str, may_come_back: Callable[[], bool]) -> None:
        self._client = client
        self._where = where
        self._may_come_back = may_come_back

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def query(self, *args: Any, **kwargs: Any) -> Any:
        return self._retried(lambda: self._client.query(*args, **kwargs), is_repeatable=True)

    def query_df(self, *args: Any, **kwargs: Any) -> Any:
        return self._retried(lambda: self._client.query_df(*args, **kwargs), is_repeatable=True)

    def command(self, cmd: str, *args: Any, **kwargs: Any) -> Any:
        is_repeatable = _REPEATABLE.match(cmd) is not None
        return self._retried(lambda: self._client.command(cmd, *args, **kwargs), is_repeatable=is_repeatable)

    def insert(self, *args: Any, **kwargs: Any) -> Any:
        return self._retried(lambda: self._client.insert(*args, **kwargs), is_repeatable=True)

    def _retried(self, run: Callable[[], Result], *, is_repeatable: bool) -> Result:
        return Retrying(
            retry=retry_if_exception(
                lambda error: (
                    (_is_broken_off(error) if is_repeatable else _never_began(error)) and self._may_come_back()
                )
            ),
            wait=wait_exponential_jitter(initial=0.2, max=3),
            stop=stop_after_delay(_RETRY_SECONDS),
            before_sleep=self._say,
            reraise=True,
        )(run)

    def _say(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        _log.warning(
            "The warehouse at %s is not available (%s); trying again in %.1f s.",
            self._where, _reason(error), state.upcoming_sleep,
        )  # fmt: skip


def _never_began(error: BaseException) -> bool:
    """Whether the server has done nothing of the statement, for certain."""
    cause = error.__cause__
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    return (isinstance(error, Error) and error.code in _NOT_BEGUN) or (
        isinstance(error, ClickHouseError) and isinstance(cause, (NewConnectionError, ConnectTimeoutError))
    )


def _is_broken_off(error: BaseException) -> bool:
    """Whether the statement may work at another time: the connection broke, or the server said so."""
    return (isinstance(error, Error) and error.code in _NOT_BEGUN | _BROKEN_OFF) or (
        isinstance(error, ClickHouseError) and isinstance(error.__cause__, HTTPError)
    )


def _reason(error: BaseException | None) -> str:
    """A few words for people."""
    if isinstance(error, Error) and error.code is not None:
        return f"Code {error.code}"
    text = str(error.__cause__ or error) if error else ""
    found = re.search(r"\[Errno[^\]]*\] ([^'\"()<]+)|Remote end closed[^'\"]*|timed out", text)
    return (found.group(1) or found.group()).strip() if found else "no answer"
