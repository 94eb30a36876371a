"""The files of the local server: where they lie in the home, and what its configuration says."""

import hashlib
import json
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from warehouse.access import User
from warehouse.access_xml import users_xml
from warehouse.private_files import write_private

# The user that Footfall itself works as. It may do everything; people who send their own SQL get users of their own.
USER = "footfall"
# The engine takes itself for a tool on its user's own machine: its scalar function file() reads whatever its process
# can read, for everybody who may send SQL, and no grant stands in its way. A function of the same name stands before
# it.
_NO_FILE = "CREATE FUNCTION file AS path -> throwIf(true, 'Files are out of reach of SQL here')\n"


@dataclass(frozen=True)
class ServerFiles:
    """The folder of the local server, `<home>/warehouse`, and the files in it."""

    folder: Path

    @classmethod
    def of_home(cls, home: Path) -> "ServerFiles":
        """The files of the server that belongs to a home; touches nothing."""
        return cls(home / "warehouse")

    @property
    def data(self) -> Path:
        """All tables."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the server logs while it runs."""
        return self.folder / "server.log"

    @property
    def start_log(self) -> Path:
        """What the last start wrote to its standard error: the only place where a failed start says why."""
        return self.folder / "start.log"

    @property
    def endpoint(self) -> Path:
        """Where the running server listens, as JSON; may be left over from one that died."""
        return self.folder / "endpoint.json"

    @property
    def password(self) -> Path:
        """The password of our user, mode 0600."""
        return self.folder / "password"

    @property
    def lease(self) -> Path:
        """Locked shared by every command that uses the server; free = nobody needs it any more."""
        return self.folder / "lease"

    @property
    def running(self) -> Path:
        """Locked by the server process as long as it lives: the kernel's own word on whether there is one."""
        return self.folder / "running"

    @property
    def starting(self) -> Path:
        """Locked by the one command that is starting the server."""
        return self.folder / "starting"


def prepare_files(files: ServerFiles, http_port: int, tcp_port: int, users: Sequence[User] = ()) -> None:
    """Makes the folder, the password (once) and the configuration for a start on these ports, with these users."""
    files.folder.mkdir(parents=True, exist_ok=True)
    files.folder.chmod(0o700)
    if not files.password.exists():
        write_private(files.password, secrets.token_urlsafe(24))
    password_hash = hashlib.sha256(files.password.read_text().encode()).hexdigest()
    write_private(files.folder / "users.xml", users_xml(USER, password_hash, users))
    write_private(files.folder / "config.xml", _config_xml(files, http_port, tcp_port))
    # The engine runs without a `system` database of its own on disk; this makes query_log and its like persistent.
    system = files.data / "metadata" / "system.sql"
    if not system.exists():
        system.parent.mkdir(parents=True, exist_ok=True)
        write_private(system, f"ATTACH DATABASE _ UUID '{uuid.uuid4()}' ENGINE = Atomic\n")
    functions = files.data / "user_defined"
    functions.mkdir(parents=True, exist_ok=True)
    write_private(functions / "function_file.sql", _NO_FILE)


def read_endpoint(files: ServerFiles) -> tuple[int, int] | None:
    """The HTTP and native port that the last started server recorded; None if there is no readable record."""
    try:
        record = json.loads(files.endpoint.read_text())
        return int(record["http_port"]), int(record["tcp_port"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_endpoint(files: ServerFiles, http_port: int, tcp_port: int) -> None:
    """Records where the server that is being started listens."""
    write_private(files.endpoint, json.dumps({"http_port": http_port, "tcp_port": tcp_port}) + "\n")


def _config_xml(files: ServerFiles, http_port: int, tcp_port: int) -> str:
    folder = escape(str(files.folder))
    return f"""<clickhouse>
    <logger>
        <log>{folder}/server.log</log>
        <errorlog>{folder}/server.err.log</errorlog>
        <size>20M</size>
        <count>3</count>
        <!-- A thread that polls for messages costs more than it saves. -->
        <async>false</async>
    </logger>
    <!-- The engine reads this one; it ignores logger/level. -->
    <log-level>information</log-level>

    <!-- Loopback only, always. -->
    <listen_host>127.0.0.1</listen_host>
    <http_port>{http_port}</http_port>
    <tcp_port>{tcp_port}</tcp_port>

    <path>{folder}/data/</path>
    <tmp_path>{folder}/data/tmp/</tmp_path>
    <user_files_path>{folder}/data/user_files/</user_files_path>
    <!-- Nobody sees what others ask for, unless it is granted. -->
    <access_control_improvements>
        <select_from_system_db_requires_grant>true</select_from_system_db_requires_grant>
        <select_from_information_schema_requires_grant>true</select_from_information_schema_requires_grant>
        <table_engines_require_grant>true</table_engines_require_grant>
    </access_control_improvements>
    <user_directories><users_xml><path>{folder}/users.xml</path></users_xml></user_directories>

    <!-- A laptop has other things to do: leave it some memory, and keep the caches small. -->
    <max_server_memory_usage_to_ram_ratio>0.7</max_server_memory_usage_to_ram_ratio>
    <mark_cache_size>268435456</mark_cache_size>
    <uncompressed_cache_size>0</uncompressed_cache_size>
    <!-- Every build drops the previous version; its files should not stay for the usual eight minutes. -->
    <database_atomic_delay_before_drop_table_sec>1</database_atomic_delay_before_drop_table_sec>
    <max_concurrent_queries>200</max_concurrent_queries>

    <!-- Nobody watches a laptop second by second. -->
    <asynchronous_metrics_update_period_s>60</asynchronous_metrics_update_period_s>
    <!-- What is erased should be gone from the disk soon, not after minutes. What looking oftener costs an idle server
         could not be measured. -->
    <merge_tree>
        <cleanup_delay_period>1</cleanup_delay_period>
        <cleanup_delay_period_random_add>0</cleanup_delay_period_random_add>
        <max_cleanup_delay_period>2</max_cleanup_delay_period>
    </merge_tree>
    <query_log>
        <database>system</database>
        <table>query_log</table>
        <partition_by>toYYYYMM(event_date)</partition_by>
        <ttl>event_date + INTERVAL 30 DAY DELETE</ttl>
    </query_log>
    <part_log>
        <database>system</database>
        <table>part_log</table>
        <partition_by>toYYYYMM(event_date)</partition_by>
        <ttl>event_date + INTERVAL 30 DAY DELETE</ttl>
    </part_log>
</clickhouse>
"""
