"""The journal of publishing, `<raw>.publish_journal`: what is being swapped, and which build people read.

One row per published database, replaced by one insert: what it says changes as a whole or not at all. So the swap is
journalled before its first step, together with the build that people read once it is over, and a crash in the middle
of it leaves no doubt about either.
"""

from dataclasses import astuple, dataclass, replace
from typing import Literal
from uuid import UUID

from clickhouse_connect.driver.client import Client

from warehouse import lease
from warehouse.connection import Warehouse

State = Literal["candidate", "publishing", "published", "rolling back", "rolled back"]

_COLUMNS = """
(
    `database` String COMMENT 'The published database',
    state LowCardinality(String) COMMENT 'candidate: a build has begun; published: next holds the previous version',
    pairs Array(Tuple(name String, next_name String, uuid UUID, next_uuid UUID)) COMMENT 'The last swap',
    own_names Array(String) COMMENT 'What Footfall has published, and so may replace or remove',
    made Array(Tuple(name String, uuid UUID, columns UInt64, last_block UInt64, settled_rows UInt64))
        COMMENT 'How it was when it was published: what differs has been changed by hand since',
    now_build Tuple(build_id String, project_hash String) COMMENT 'What people read once the last swap is over',
    before_build Tuple(build_id String, project_hash String) COMMENT 'What next holds once the last swap is over',
    changed_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY `database`
COMMENT 'The state of publishing, one row per published database: see warehouse/journal.py'
"""
# For a journal made by a Footfall that did not write these down.
_ADD_COLUMNS = """
    ADD COLUMN IF NOT EXISTS made
        Array(Tuple(name String, uuid UUID, columns UInt64, last_block UInt64, settled_rows UInt64)) AFTER own_names,
    ADD COLUMN IF NOT EXISTS now_build Tuple(build_id String, project_hash String) AFTER own_names,
    ADD COLUMN IF NOT EXISTS before_build Tuple(build_id String, project_hash String) AFTER now_build
"""


@dataclass(frozen=True)
class Version:
    """The build that made a set of tables, and the fingerprint of the project it was built with; '' = not known."""

    build_id: str = ""
    project_hash: str = ""


UNKNOWN = Version()


@dataclass(frozen=True)
class Standing:
    """The version that people read (during a swap: will read once it is over), and one taken back by a rollback."""

    published: Version
    rolled_back: Version


# Instead of the UUID of an object that there is not.
ABSENT = UUID(int=0)


@dataclass(frozen=True)
class Pair:
    """An object people read and the one beside it, by their UUIDs before the swap; `ABSENT` = there is none."""

    name: str
    next_name: str
    uuid: UUID
    next_uuid: UUID

    def reversed(self) -> "Pair":
        """The pair that swaps back."""
        return replace(self, uuid=self.next_uuid, next_uuid=self.uuid)


@dataclass(frozen=True)
class Made:
    """A published object as Footfall made it: the hash of its columns' names and types, and what its parts say.

    `last_block` goes up with every change of rows, and with nothing that the server does by itself. `settled_rows` are
    the rows, if none is marked as deleted, else 0: those that are marked vanish in a later merge.
    """

    name: str
    uuid: UUID
    columns: int
    last_block: int
    settled_rows: int

    def was_changed(self, now: "Made | None") -> bool:
        """Whether what is there now is another object, has other columns or other rows."""
        return (
            now is None
            or (now.uuid, now.columns) != (self.uuid, self.columns)
            or now.last_block > self.last_block
            or (self.settled_rows > 0 and now.settled_rows != self.settled_rows)
        )


@dataclass(frozen=True)
class Entry:
    """The journal's row: the last swap and how far it is, what is Footfall's, and which builds these are.

    `now` is what people read once that swap is over, `before` what the database beside holds then.
    """

    state: State = "published"
    pairs: tuple[Pair, ...] = ()
    own_names: frozenset[str] = frozenset()
    made: tuple[Made, ...] = ()
    now: Version = UNKNOWN
    before: Version = UNKNOWN
    version: int = 0


class Journal:
    """The journal's row of one published database."""

    def __init__(self, warehouse: Warehouse, client: Client) -> None:
        self._client = client
        self._names = {"raw": warehouse.settings.raw_database, "published": warehouse.settings.database}

    def create(self) -> None:
        """Makes the table, in a raw database that is there; safe to call at any time."""
        self._client.command(
            f"CREATE TABLE IF NOT EXISTS {{raw:Identifier}}.publish_journal{_COLUMNS}",
            parameters=self._names,
        )
        if not {"made", "before_build"} <= self._columns():
            self._client.command(
                f"ALTER TABLE {{raw:Identifier}}.publish_journal{_ADD_COLUMNS}",
                parameters=self._names,
            )

    def read(self) -> Entry:
        """The row; before the first one, that of a database in which nothing was ever published.

        Works where `create` was never called: what an older Footfall did not write down is not known then.
        """
        if not self._columns():
            return Entry()
        rows = self._client.query(
            "SELECT * FROM {raw:Identifier}.publish_journal FINAL WHERE database = {published:String}",
            parameters=self._names,
        ).named_results()
        for row in rows:
            return Entry(
                row["state"],
                tuple(Pair(**each) for each in row["pairs"]),
                frozenset(row["own_names"]),
                tuple(Made(**each) for each in row.get("made", ())),
                Version(**row.get("now_build", {})),
                Version(**row.get("before_build", {})),
                row["version"],
            )
        return Entry()

    def write(self, entry: Entry) -> None:
        """Replaces the row by one that was made of the one read last.

        Raises FootfallError if this command has lost the writer's lease.
        """
        lease.require()
        self._client.insert(
            "publish_journal",
            [
                [
                    self._names["published"],
                    entry.state,
                    [(pair.name, pair.next_name, pair.uuid, pair.next_uuid) for pair in entry.pairs],
                    sorted(entry.own_names),
                    [astuple(each) for each in entry.made],
                    (entry.now.build_id, entry.now.project_hash),
                    (entry.before.build_id, entry.before.project_hash),
                    entry.version + 1,
                ]
            ],
            column_names=["database", "state", "pairs", "own_names", "made", "now_build", "before_build", "version"],
            database=self._names["raw"],
        )

    def standing(self) -> Standing:
        """What is published."""
        entry = self.read()
        return Standing(entry.now, entry.before if entry.state in ("rolling back", "rolled back") else UNKNOWN)

    def _columns(self) -> set[str]:
        """The columns that the table has; none if there is no table."""
        rows = self._client.query(
            "SELECT name FROM system.columns WHERE database = {raw:String} AND table = 'publish_journal'",
            parameters=self._names,
        ).result_rows
        return {name for (name,) in rows}
