"""Write, audit, publish: build beside what people read, and swap only what has passed its checks.

`prepare` makes `<database>_next` a candidate: zero-copy clones of all that Footfall has published. dbt builds and
tests there. `publish` swaps the candidate with the published tables; the previous version stays in `<database>_next`
until the next `prepare`, and `rollback` swaps it back.

A swap is a list of pairs (the object people read, the object beside it), written to the journal before the first step.
Every object is known by its UUID, so the state of each pair can be read off the database itself: after a crash,
`recover` does the steps that are missing and no step twice. The journal also names the build that people read, so that
this changes with the swap itself: the build log, the plan and rollback all go by `standing`.

Tables and views in the published database that Footfall has not published (an analyst's notes, the build log) are
never touched. Callers hold `warehouse.lock.exclusive`.
"""

import re
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import replace
from graphlib import TopologicalSorter

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from warehouse import lease
from warehouse.connection import Warehouse
from warehouse.databases import Databases, TableOrView, uuid_of
from warehouse.errors import FootfallError
from warehouse.journal import ABSENT, UNKNOWN, Entry, Journal, Made, Pair, Standing, State, Version

# What stays beside, by the beginning of its name: staging views and the change feed.
UNPUBLISHED = ("stg_", "changed_")
# So does what a dbt run or a swap that died leaves behind.
_REMAINS = re.compile(r".*__dbt_|\.|__published_")
# A view beside names tables beside; this is its twin, in the words of the published database, that is swapped.
_TWIN = "__published_"


def prepare(warehouse: Warehouse, full_refresh: bool = False, rebuild: Mapping[str, str] | None = None) -> None:
    """Makes `<database>_next` the candidate of a new build, after finishing a swap that a crash interrupted.

    Everything there goes, the previous version included. Then it holds zero-copy clones of the published tables, and
    the published views, but for those that `rebuild` names, each with the reason: the table `changed_models` tells dbt
    of them. With `full_refresh` it holds nothing. If it dies half-way, call it again.
    """
    with _Publisher.of(warehouse) as publisher:
        publisher.prepare(full_refresh, rebuild or {})


def publish(warehouse: Warehouse, version: Version = UNKNOWN) -> None:
    """Swaps the candidate with the published tables; what was published and has no successor is taken away.

    `version` says what the candidate is, for `standing`. Raises FootfallError if there is no candidate, or an empty
    one, or one with a table that cannot be published, or whose name in the published database is somebody else's.
    """
    with _Publisher.of(warehouse) as publisher:
        publisher.publish(version)


def rollback(warehouse: Warehouse) -> None:
    """Puts the version published before back; the one it replaces stays in `<database>_next` to be looked at.

    Raises FootfallError if there is no previous version: nothing or only one version published, a build begun since
    (it takes the place of the previous version, whether it succeeds or fails), or rolled back already.
    """
    with _Publisher.of(warehouse) as publisher:
        publisher.rollback()


def recover(warehouse: Warehouse, full_refresh: bool = False) -> bool:
    """Finishes the swap that a crash interrupted; True if there was one. Cheap, and harmless at any time.

    Raises FootfallError if tables of that swap have been changed by hand since, so that it cannot be finished. With
    `full_refresh`, which replaces everything, such a swap is forgotten, and what is published is not known.
    """
    with _Publisher.of(warehouse) as publisher:
        return publisher.recover(full_refresh)


def give_up_previous_version(warehouse: Warehouse) -> None:
    """Says that `<database>_next` is about to be written to, so that rollback will not put it before people."""
    with _Publisher.of(warehouse) as publisher:
        publisher.give_up_previous_version()


def forget_previous_version(warehouse: Warehouse) -> None:
    """Drops all that is beside the published tables: the previous version, to which there is no rollback then."""
    with _Publisher.of(warehouse) as publisher:
        publisher.forget_previous_version()


def rewrite_marked_rows(warehouse: Warehouse) -> None:
    """Takes rows of published tables that are only marked as deleted out of the disk; no reader sees a difference."""
    with _Publisher.of(warehouse) as publisher:
        publisher.rewrite_marked_rows()


def standing(warehouse: Warehouse) -> Standing:
    """What is published, by the journal; changes nothing, and needs no lock."""
    with warehouse.client() as client:
        return Journal(warehouse, client).standing()


def changed_by_hand(warehouse: Warehouse) -> set[str]:
    """What Footfall has published and somebody dropped, replaced or changed since; changes nothing, needs no lock.

    Rows that were written or deleted by hand are seen, but for whole partitions dropped from a table in which rows are
    marked as deleted. Nothing is said in the middle of a swap, which has to be finished first.
    """
    with warehouse.client() as client:
        return _Publisher(warehouse, client).changed_by_hand()


class _Publisher:
    def __init__(self, warehouse: Warehouse, client: Client) -> None:
        self._journal = Journal(warehouse, client)
        self._databases = Databases(warehouse, client)
        self._names = self._databases.names

    @classmethod
    @contextmanager
    def of(cls, warehouse: Warehouse) -> Iterator["_Publisher"]:
        with warehouse.client() as client:
            publisher = cls(warehouse, client)
            publisher._databases.create()
            publisher._journal.create()
            yield publisher

    def prepare(self, full_refresh: bool, rebuild: Mapping[str, str]) -> None:
        self.recover(full_refresh)
        # First of all: from here on `next` does not hold the previous version any more.
        self.begin_candidate()
        entry = self._journal.read()
        self._databases.stop_statements()
        for name, existing in self._databases.objects("next").items():
            self._databases.drop(name, existing)
        if full_refresh:
            return
        published = self._databases.objects("published")
        own = {name: each for name, each in published.items() if name in entry.own_names and name not in rebuild}
        cloned = {name for name, each in own.items() if each.is_cloneable}
        # Deletions are applied before it, which counts as a change of rows: until that is over, nothing is known.
        unchanged = cloned - self.changed_by_hand()
        self._write_made(unchanged, {})
        self._databases.clone(sorted(cloned))
        self._write_made(unchanged, self._databases.made())
        for name, each in own.items():
            if each.is_view:
                self._databases.create_view(each, name, says="next", new_name=name)
        self._databases.tell_what_is_rebuilt(rebuild)

    def give_up_previous_version(self) -> None:
        self.recover()
        if self._journal.read().state != "candidate":
            # The previous version is whole: what the last build rebuilt says nothing of it.
            self._databases.tell_what_is_rebuilt({})
        self.begin_candidate()

    def forget_previous_version(self) -> None:
        self.recover()
        self.begin_candidate()
        for name, existing in self._databases.objects("next").items():
            self._databases.drop(name, existing)

    def rewrite_marked_rows(self) -> None:
        unchanged = self._journal.read().own_names - self.changed_by_hand()
        # That counts as a change of rows: until it is over, nothing is known.
        self._write_made(unchanged, {})
        self._databases.rewrite_marked_rows()
        self._write_made(unchanged, self._databases.made())

    def changed_by_hand(self) -> set[str]:
        entry = self._journal.read()
        if entry.state in ("publishing", "rolling back"):
            return set()
        now = self._databases.made()
        changed = {each.name for each in entry.made if each.was_changed(now.get(each.name))}
        return changed | {name for name in entry.own_names if name not in now}

    def _write_made(self, names: Set[str], now: Mapping[str, Made]) -> None:
        """Writes down how these published objects are, and keeps what is known of the others."""
        entry = self._journal.read()
        others = [each for each in entry.made if each.name not in names]
        self._journal.write(replace(entry, made=(*others, *(now[name] for name in sorted(names & now.keys())))))

    def begin_candidate(self) -> None:
        self._journal.write(replace(self._journal.read(), state="candidate", pairs=(), before=UNKNOWN))

    def publish(self, version: Version) -> None:
        self.recover()
        entry = self._journal.read()
        if entry.state != "candidate":
            raise FootfallError(
                f"There is no finished build in {self._names['next']} to publish.", "Run `footfall build` first."
            )
        candidates = self._candidates()
        self._require_own(candidates.keys() & self._databases.objects("published").keys() - entry.own_names)
        for name, candidate in candidates.items():
            self._require_publishable(name, candidate)
            if candidate.is_view:
                self._databases.create_view(candidate, name, says="published", new_name=f"{_TWIN}{name}")
        pairs = self._pairs(candidates, entry.own_names)
        self._swap(replace(entry, state="publishing", pairs=pairs, now=version, before=entry.now), "published")

    def _candidates(self) -> dict[str, TableOrView]:
        beside = self._databases.objects("next")
        for name, existing in beside.items():
            if name.startswith(_TWIN):
                self._databases.drop(name, existing)  # of an attempt that died before it was journalled
        candidates = {
            name: each for name, each in beside.items() if not (name.startswith(UNPUBLISHED) or _REMAINS.match(name))
        }
        if not candidates:
            raise FootfallError(f"{self._names['next']} holds no table to publish.", "Run `footfall build` first.")
        return candidates

    def _pairs(self, candidates: dict[str, TableOrView], own_names: frozenset[str]) -> tuple[Pair, ...]:
        """The swap that publishes the candidates, whose views have their twins by now."""
        beside, published = self._databases.objects("next"), self._databases.objects("published")
        pairs = []
        for name in self._order(candidates, published):
            next_name = f"{_TWIN}{name}" if candidates[name].is_view else name
            pairs.append(Pair(name, next_name, uuid_of(published, name), beside[next_name].uuid))
        for name in sorted(own_names & published.keys() - candidates.keys()):
            # Last, because until then an old view may still read it.
            pairs.append(Pair(name, name, published[name].uuid, ABSENT))
        return tuple(pairs)

    def _order(self, candidates: dict[str, TableOrView], published: dict[str, TableOrView]) -> list[str]:
        """New tables, which a view may read at once; the other tables, those that views read last; then the views.

        In between an old view can meet a table of the new version that lacks a column: this is kept short. A view
        follows the views it reads: ClickHouse refuses a moment in which two would read each other.
        """
        views = {name for name, candidate in candidates.items() if candidate.is_view}
        reads = {view: candidates[view].names_of(self._names["next"]) - {view} for view in sorted(views)}
        read_until_now = (each.names_of(self._names["published"]) for each in published.values())
        read = set().union(*reads.values(), *read_until_now)
        tables = sorted(candidates.keys() - views, key=lambda name: (name in published, name in read, name))
        return [*tables, *TopologicalSorter({view: names & views for view, names in reads.items()}).static_order()]

    def rollback(self) -> None:
        self.recover()
        entry = self._journal.read()
        again = "`footfall build` brings the tables up to date."
        if entry.state == "candidate":
            raise FootfallError(
                "There is no previous version to roll back to: a build that began after the last publication, or dbt by"
                f" hand, has taken its place in {self._names['next']}. The published tables are as they were last"
                " published.",
                again,
            )
        if entry.state == "rolled back":
            raise FootfallError("The previous version has already been put back; only one is kept.", again)
        pairs = tuple(pair.reversed() for pair in reversed(entry.pairs))
        if all(pair.next_uuid == ABSENT for pair in pairs):
            raise FootfallError("There is no previous version to roll back to.", again)
        self._require_unchanged(pairs)
        swap = replace(entry, state="rolling back", pairs=pairs, now=entry.before, before=entry.now)
        self._swap(swap, "rolled back")

    def recover(self, full_refresh: bool = False) -> bool:
        entry = self._journal.read()
        if entry.state not in ("publishing", "rolling back"):
            return False
        lease.require()
        try:
            self._finish(entry, "published" if entry.state == "publishing" else "rolled back")
        except FootfallError:
            # A full refresh replaces everything, so it is the way out when a swap can no longer be finished.
            if not full_refresh:
                raise
            published = self._databases.objects("published")
            swapped_in = {p.name for p in entry.pairs if uuid_of(published, p.name) == p.next_uuid != ABSENT}
            own_names = entry.own_names | swapped_in
            self._journal.write(
                replace(entry, state="candidate", pairs=(), own_names=own_names, now=UNKNOWN, before=UNKNOWN)
            )
        return True

    def _swap(self, entry: Entry, after: State) -> None:
        self._journal.write(entry)
        self._finish(self._journal.read(), after)

    def _finish(self, entry: Entry, after: State) -> None:
        """Does the steps of the journalled swap that are not done yet, and writes down that it is over."""
        published, beside = self._databases.objects("published"), self._databases.objects("next")
        missing = [pair for pair in entry.pairs if uuid_of(published, pair.name) != pair.next_uuid]
        for pair in missing:
            if (uuid_of(published, pair.name), uuid_of(beside, pair.next_name)) != (pair.uuid, pair.next_uuid):
                raise FootfallError(
                    f"Publishing was interrupted, and {self._names['published']}.{pair.name} has been changed by hand"
                    " since, so that it cannot be finished.",
                    "Run `footfall build --full-refresh`.",
                )
        try:
            self._databases.swap(missing)
        except DatabaseError as error:
            raise FootfallError(
                f"Publishing stopped before it was complete: {str(error).splitlines()[0]}",
                "Once that is fixed, the next build finishes it.",
            ) from error
        published = self._databases.objects("published")
        left = [pair.name for pair in entry.pairs if uuid_of(published, pair.name) != pair.next_uuid]
        if left:
            raise FootfallError(
                f"Publishing is not complete: {', '.join(left)} in {self._names['published']} is not what was swapped"
                " in.",
                "The next build tries again; `footfall build --full-refresh` is the way out if it cannot.",
            )
        own_names = frozenset(pair.name for pair in entry.pairs if pair.next_uuid != ABSENT)
        made = tuple(each for name, each in self._databases.made().items() if name in own_names)
        self._journal.write(replace(entry, state=after, own_names=own_names, made=made))

    def _require_own(self, others: set[str]) -> None:
        if others:
            published, raw = self._names["published"], self._names["raw"]
            raise FootfallError(
                f"{', '.join(f'{published}.{name}' for name in sorted(others))} is not Footfall's, by"
                f" {raw}.publish_journal, and a model of that name would replace it.",
                f"Rename it or the model. If {raw} was recreated beside an older {published}, drop what is left there"
                " of the models' tables: the build makes them again.",
            )

    def _require_publishable(self, name: str, candidate: TableOrView) -> None:
        if candidate.engine in ("Dictionary", "MaterializedView", "LiveView", "WindowView"):
            raise FootfallError(
                f"{self._names['next']}.{name} is a {candidate.engine}, which cannot be published.",
                "Make it a table or a view, or call it stg_… to keep it out.",
            )
        if candidate.is_view:
            for read in sorted(candidate.names_of(self._names["next"])):
                if read.startswith(UNPUBLISHED):
                    raise FootfallError(
                        f"The view {name} reads {read}, which is never published.",
                        "Let it read published tables or raw ones, or make it a table.",
                    )

    def _require_unchanged(self, pairs: tuple[Pair, ...]) -> None:
        published, beside = self._databases.objects("published"), self._databases.objects("next")
        for pair in pairs:
            if (uuid_of(published, pair.name), uuid_of(beside, pair.next_name)) != (pair.uuid, pair.next_uuid):
                raise FootfallError(
                    f"The previous version cannot be put back: {pair.name} has been changed by hand, in"
                    f" {self._names['published']} or in {self._names['next']}, since it was published.",
                    "`footfall build --full-refresh` rebuilds everything.",
                )
