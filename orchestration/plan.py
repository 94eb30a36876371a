"""What a build has to do: which loads are new to the published tables, and whether it must start from scratch."""

import hashlib
from dataclasses import dataclass

from orchestration.project import content_hash, project_dir
from warehouse import publishing
from warehouse.connection import Warehouse
from warehouse.settings import Settings
from warehouse.tracking_key import key_blocks, tracking_secret


@dataclass(frozen=True)
class Plan:
    """The work of one build.

    The published tables contain the loads up to `from_seq`; the committed ones go up to `to_seq`, and `waiting` of
    them are in between (or were superseded in between). `reason` says in a few words why anything is done at all,
    and is empty if nothing is to be done.
    """

    from_seq: int
    to_seq: int
    waiting: int
    full_refresh: bool
    reason: str
    project_hash: str

    @property
    def nothing_to_do(self) -> bool:
        """Whether the published tables already are what a build would make of them."""
        return not self.reason


def make_plan(warehouse: Warehouse, *, full_refresh: bool = False) -> Plan:
    """Compare the ledger and the project with what is published; reads a few rows, changes nothing."""
    project_hash = _project_hash(warehouse.settings)
    from_seq, to_seq, waiting = _ledger(warehouse)
    built_with = publishing.standing(warehouse).published.project_hash
    by_hand = publishing.changed_by_hand(warehouse)
    loads = f"{waiting} new load{'' if waiting == 1 else 's'}"
    incremental = False
    if full_refresh:
        reason = "full refresh asked for"
    elif from_seq is None or to_seq == 0:
        # Without a single load there is nothing to make tables of; those that are there are better than empty ones.
        reason = f"first build, {loads}" if waiting else ""
    elif from_seq > to_seq:
        reason = "full refresh, because the ledger is behind the published tables"
    elif not built_with:
        reason = "full refresh, because it is not known what the published tables were built with"
    elif built_with != project_hash:
        reason = "full refresh, because the dbt project or the tracking key changed since the last published build"
    elif by_hand:
        reason = f"full refresh, because of tables changed or dropped by hand: {', '.join(sorted(by_hand))}"
    else:
        reason = loads if waiting else ""
        incremental = True
    return Plan(from_seq or 0, to_seq, waiting, not incremental, reason, project_hash)


def published_seq(warehouse: Warehouse) -> int | None:
    """The load_seq up to which the published tables contain the loads; None if nothing is published."""
    database = warehouse.settings.database
    if not warehouse.has_table(database, "int_build_range"):
        return None
    with warehouse.client() as client:
        rows = client.query(
            "SELECT to_seq FROM {db:Identifier}.int_build_range", parameters={"db": database}
        ).result_rows
    return int(rows[0][0]) if rows else None


def _ledger(warehouse: Warehouse) -> tuple[int | None, int, int]:
    """The published to_seq (None: nothing is published), the newest committed seq, and the loads in between."""
    settings = warehouse.settings
    published = published_seq(warehouse)
    with warehouse.client() as client:
        if not warehouse.has_table(settings.raw_database, "loads"):
            return published, 0, 0
        to_seq, waiting = client.query(
            """
            SELECT
                max(greatest(load_seq, superseded_seq)),
                uniqExactIf(greatest(load_seq, superseded_seq), greatest(load_seq, superseded_seq) > {seq:UInt64})
            FROM {raw:Identifier}.loads FINAL
            WHERE load_seq > 0
            """,
            parameters={"raw": settings.raw_database, "seq": published or 0},
        ).first_row
        return published, int(to_seq), int(waiting)


def _project_hash(settings: Settings) -> str:
    """The project's fingerprint together with the tracking key's: another key means other tracking ids everywhere."""
    key = hashlib.sha256(b"".join(key_blocks(tracking_secret(settings)))).hexdigest()
    return hashlib.sha256(f"{content_hash(project_dir())} {key}".encode()).hexdigest()[:32]
