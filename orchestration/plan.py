"""What a build has to do: which loads are new to the published tables, and which tables must be built from nothing."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestration import built_models
from orchestration.built_models import Parts
from orchestration.fingerprints import changed_parts, read_environment, read_models, rebuilt
from orchestration.project import manifest, project_dir
from warehouse import publishing
from warehouse.connection import Warehouse
from warehouse.settings import Settings
from warehouse.tracking_key import key_blocks, tracking_secret

# Says what the tables contain, so that without it nothing can be kept.
_RANGE = "int_build_range"
_ALL = "*"
_NAMED = 3


@dataclass(frozen=True)
class Plan:
    """The work of one build.

    The published tables contain the loads up to `from_seq`; the committed ones go up to `to_seq`, and `waiting` of
    them are in between (or were superseded in between). `rebuild` names the models that are built from nothing, each
    with the reason, and `removed` the published ones that the project does not have any more; on a full refresh every
    model is built from nothing, and `rebuild` names those that call for it. `reason` says in a few words why anything
    is done at all, and is empty if nothing is to be done. `parts` is what the project is made of.
    """

    from_seq: int
    to_seq: int
    waiting: int
    full_refresh: bool
    reason: str
    rebuild: Mapping[str, str] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    parts: Parts = field(default_factory=dict, repr=False)

    @property
    def nothing_to_do(self) -> bool:
        """Whether the published tables already are what a build would make of them."""
        return not self.reason

    @property
    def project_hash(self) -> str:
        """The fingerprint of what the project is made of, the tracking key included."""
        return built_models.project_hash(self.parts)


def make_plan(warehouse: Warehouse, *, full_refresh: bool = False) -> Plan:
    """Compare the ledger and the project with what is published; reads a few rows, changes nothing.

    Raises FootfallError if the project does not parse.
    """
    from_seq, to_seq, waiting = _ledger(warehouse)
    if to_seq == 0 and not full_refresh:
        # Without a single load there is nothing to make tables of; those that are there are better than empty ones.
        return Plan(from_seq or 0, to_seq, waiting, full_refresh=True, reason="")
    project = _Project(warehouse)
    loads = f"{waiting} new load{'' if waiting == 1 else 's'}"
    before = built_models.load(warehouse, publishing.standing(warehouse).published.project_hash)
    changed = project.changed_since(before) | project.lost(publishing.changed_by_hand(warehouse))
    rebuild = rebuilt(changed, project.models)
    removed = tuple(sorted(before.keys() - project.parts.keys()))
    full = ""
    if full_refresh:
        full = "full refresh asked for"
    elif from_seq is None:
        full = f"first build, {loads}"
    elif from_seq > to_seq:
        full = "full refresh, because the ledger is behind the published tables"
    elif not before:
        full = "full refresh, because it is not known what the published tables were built with"
    elif _ALL in changed or _RANGE in rebuild:
        full = f"full refresh, because everything follows from what changed: {_named(changed)}"
    reasons = [full] if full else [
        loads if waiting else "",
        f"{len(rebuild)} model{'' if len(rebuild) == 1 else 's'} to rebuild: {_named(changed)}" if rebuild else "",
        f"no longer in the project: {', '.join(removed)}" if removed else "",
    ]  # fmt: skip
    return Plan(
        from_seq or 0,
        to_seq,
        waiting,
        bool(full),
        "; ".join(reason for reason in reasons if reason),
        {} if full and not before else rebuild,
        removed,
        project.parts,
    )


def begin(warehouse: Warehouse, plan: Plan) -> None:
    """Make the candidate of this plan, with clones of all that it keeps, and write down what it is built with."""
    publishing.prepare(warehouse, plan.full_refresh, {**plan.rebuild, **dict.fromkeys(plan.removed, "removed")})
    built_models.store(warehouse, plan.parts)


class _Project:
    """The project as it is, and what has changed in it."""

    def __init__(self, warehouse: Warehouse) -> None:
        folder, settings = project_dir(), warehouse.settings
        self.models = read_models(manifest(settings, folder), folder)
        with warehouse.client() as client:
            environment = read_environment(folder, client.server_version)
        key = {"the tracking key": _key(settings)}
        self.parts: Parts = {_ALL: environment} | {
            name: dict(model.parts) | (key if "source raw.tracking_key" in model.parts else {})
            for name, model in self.models.items()
        }

    def changed_since(self, before: Parts) -> dict[str, str]:
        """The models that are new or differ, and in what; nothing if it is not known how they were before."""
        if not before:
            return {}
        found = {}
        for name, parts in self.parts.items():
            if name not in before:
                found[name] = "new"
            elif parts != before[name]:
                found[name] = _listed(changed_parts(before[name], parts))
        return found

    def lost(self, by_hand: set[str]) -> dict[str, str]:
        """The models whose published rows are not what was published, and those that would read these rows as such."""
        found = dict.fromkeys(sorted(by_hand & self.models.keys()), "dropped or changed by hand")
        for name, model in self.models.items():
            if model.reads_before & by_hand and name not in found:
                found[name] = f"compares with what {', '.join(sorted(model.reads_before & by_hand))} was"
        return found


def _named(changed: Mapping[str, str]) -> str:
    """The first few of the changed models, and in what they changed."""
    return _listed([why if name == _ALL else f"{name} ({why})" for name, why in changed.items()])


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def published_seq(warehouse: Warehouse) -> int | None:
    """The load_seq up to which the published tables contain the loads; None if nothing is published."""
    database = warehouse.settings.database
    if not warehouse.has_table(database, _RANGE):
        return None
    with warehouse.client() as client:
        rows = client.query(
            "SELECT to_seq FROM {db:Identifier}.{range:Identifier}", parameters={"db": database, "range": _RANGE}
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


def _key(settings: Settings) -> str:
    """The tracking key's fingerprint."""
    return hashlib.sha256(b"".join(key_blocks(tracking_secret(settings)))).hexdigest()[:16]
