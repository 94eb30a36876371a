"""The one way to the warehouse, wherever it runs."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from pydantic import SecretStr

from warehouse import access
from warehouse.errors import FootfallError
from warehouse.last_home import remember
from warehouse.retries import retrying
from warehouse.server import is_running, running_server
from warehouse.server_files import USER, ServerFiles
from warehouse.settings import Settings

# What goes wrong is raised and told once, by us; the driver and what it uses would also print it.
for name in ("clickhouse_connect", "urllib3"):
    logging.getLogger(name).addHandler(logging.NullHandler())

# Long statements (a full rebuild, a big load) send nothing for minutes; the server has its own limits.
_READ_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Warehouse:
    """A warehouse that answers: where it is and how to log in. `tcp_port` is None where we cannot know it."""

    settings: Settings
    host: str
    port: int
    tcp_port: int | None
    user: str
    password: SecretStr
    secure: bool

    @contextmanager
    def client(self, database: str | None = None) -> Iterator[Client]:
        """A client for as long as the block lasts; without server-side session, so threads may share it.

        `database` is the default database of its queries and must exist; such a client is made for this block. Without
        it, it is one for all blocks: connecting takes longer than most of our queries. Raises FootfallError if the
        warehouse cannot be reached or refuses the user.
        """
        if database is None:
            yield self._shared_client
        else:
            with closing(self._connected(database)) as client:
                yield client

    def close(self) -> None:
        """Close the connections; those that stay open would hold up the server's shutdown."""
        client = self.__dict__.pop("_shared_client", None)
        if client is not None:
            client.close()

    @cached_property
    def _shared_client(self) -> Client:
        return self._connected("default")

    def _connected(self, database: str) -> Client:
        try:
            client = clickhouse_connect.get_client(
                host=self.host,
                port=self.port,
                username=self.user,
                password=self.password.get_secret_value(),
                secure=self.secure,
                database=database,
                autogenerate_session_id=False,
                dedicated_pool=True,  # closed with the client
                send_receive_timeout=_READ_SECONDS,
                client_name="footfall",
            )
        except (ClickHouseError, OSError) as error:
            raise self._refusal(error, database) from None
        return retrying(client, f"{self.host}:{self.port}", self._may_come_back)

    def _may_come_back(self) -> bool:
        """Whether a warehouse that does not answer can be waited for: nobody restarts a local one meanwhile."""
        return not self.settings.is_local or is_running(self.settings.home)

    def has_table(self, database: str, table: str) -> bool:
        """Whether there is such a table or view."""
        with self.client() as client:
            found = client.query(
                "SELECT count() FROM system.tables WHERE database = {db:String} AND name = {table:String}",
                parameters={"db": database, "table": table},
            )
            return bool(found.first_row[0])

    def environment(self) -> dict[str, str]:
        """The variables that make a subprocess (dbt, Dagster, checks) talk to this same warehouse.

        To be added to its environment: `os.environ | warehouse.environment()`. Holds the password: never print it.
        """
        settings = self.settings
        variables = {
            "CLICKHOUSE_HOST": self.host,
            "CLICKHOUSE_PORT": str(self.port),
            "CLICKHOUSE_USER": self.user,
            "CLICKHOUSE_PASSWORD": self.password.get_secret_value(),
            "CLICKHOUSE_SECURE": "1" if self.secure else "0",
            "FOOTFALL_HOME": str(settings.home),
            "FOOTFALL_RAW_DATABASE": settings.raw_database,
            "FOOTFALL_DATABASE": settings.database,
        }
        if settings.secret is not None:
            variables["FOOTFALL_SECRET"] = settings.secret.get_secret_value()
        return variables

    def _refusal(self, error: Exception, database: str) -> FootfallError:
        text = str(error)
        where = f"{self.host}:{self.port}"
        if "UNKNOWN_DATABASE" in text:
            return FootfallError(
                f"The warehouse at {where} has no database {database!r} yet.",
                "Load some data and run `footfall build` first.",
            )
        if "AUTHENTICATION_FAILED" in text or "Authentication failed" in text:
            return FootfallError(
                f"The ClickHouse server at {where} refuses the user {self.user!r} or its password.",
                "Check CLICKHOUSE_USER and CLICKHOUSE_PASSWORD.",
            )
        # The driver wraps the one word that matters ("Connection refused") into pages of itself.
        found = re.search(r"\[(?:Errno|SSL)[^\]]*\] ([^'\"()<]+)|Read timed out|ConnectTimeout", text)
        reason = (found.group(1) or found.group()).strip() if found else text.strip().splitlines()[0][:300]
        if self.settings.is_local:
            log = ServerFiles.of_home(self.settings.home).log
            return FootfallError(f"The local warehouse at {where} does not answer: {reason}.", f"Its log is {log}.")
        return FootfallError(
            f"No ClickHouse server answers at {where}: {reason}.",
            "Check CLICKHOUSE_HOST, CLICKHOUSE_PORT (the HTTP port) and CLICKHOUSE_SECURE, and that it is running.",
        )


@contextmanager
def connect(settings: Settings) -> Iterator[Warehouse]:
    """The warehouse that the settings name, for as long as the block lasts.

    With a host: that server, which must answer. Without: the local server of `settings.home`; it is started unless
    it already runs, and goes away by itself when the last command that uses it has ended, however that ended.
    Raises FootfallError if there is no warehouse to be had.
    """
    remember(settings.home)
    if settings.host is not None:
        there = Warehouse(
            settings=settings,
            host=settings.host,
            port=settings.remote_port,
            tcp_port=None,
            user=settings.user,
            password=settings.password,
            secure=settings.secure,
        )
        with closing(there), there.client():
            yield there
        return
    _bypass_proxies()
    with running_server(
        settings.home, settings.http_port, settings.tcp_port, partial(access.users, settings)
    ) as endpoint:
        here = Warehouse(
            settings=settings,
            host="127.0.0.1",
            port=endpoint.http_port,
            tcp_port=endpoint.tcp_port,
            user=USER,
            password=SecretStr(ServerFiles.of_home(settings.home).password.read_text()),
            secure=False,
        )
        with closing(here):
            yield here


def _bypass_proxies() -> None:
    """Keeps an HTTP proxy that the environment names out of the way between us, our subprocesses and loopback."""
    for variable in ("no_proxy", "NO_PROXY"):
        hosts = [host for host in os.environ.get(variable, "").split(",") if host]
        if "127.0.0.1" not in hosts:
            os.environ[variable] = ",".join([*hosts, "127.0.0.1"])
