"""`footfall merge` and `footfall unmerge`: a person's statement on whether two ids are one person.

It goes into raw.identity_mappings like a row of a file, through the ledger. It is dated at the end of time, so it takes
precedence over all that files and events say of the two. Of two such statements the later command replaces the earlier.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
from clickhouse_connect.driver.external import ExternalData

from cli.console import out
from cli.identity_graph import Graph, People, read
from cli.identity_statements import nobodies, statements
from ingest import commands
from ingest.tables import IDENTITY_MAPPINGS
from warehouse.connection import Warehouse, connect
from warehouse.errors import UsageError
from warehouse.lock import exclusive
from warehouse.settings import get_settings

# No moment that a file or an event can name is later.
_END_OF_TIME = datetime(2299, 12, 31, tzinfo=UTC)
# Above the number of any load.
_ALL_LOADS = 2**63

_IS_LOADED = """
    SELECT 1 FROM {raw:Identifier}.events WHERE tenant_id = {tenant:String} AND distinct_id = {id:String}
    UNION ALL
    SELECT 1 FROM {raw:Identifier}.identity_mappings
    WHERE tenant_id IN ('', {tenant:String}) AND {id:String} IN (anonymous_id, user_id)
    LIMIT 1
"""
_MOVES = """
    SELECT
        (
            SELECT count() FROM sessions
            WHERE tenant_id = {tenant:String}
                AND user_id IN {left:Array(String)}
                AND (first_distinct_id IN (SELECT id FROM moved) OR last_distinct_id IN (SELECT id FROM moved))
        ),
        uniqExact(event_date),
        sum(events_count)
    FROM int_id_days
    WHERE tenant_id = {tenant:String} AND distinct_id IN (SELECT id FROM moved)
"""


@dataclass(frozen=True)
class _Pair:
    """What is talked about: two ids of a tenant."""

    tenant: str
    one: str
    other: str

    def path(self, command: str) -> str:
        """What stands in the ledger, whichever of the two ids was named first."""
        return commands.path_of(command, "--tenant", self.tenant, *sorted((self.one, self.other)))


def run_statement(command: str, tenant: str, one: str, other: str, *, dry_run: bool) -> None:
    """Say that two ids are one person (`merge`) or are not (`unmerge`), and print what changes with the next build.

    Raises UsageError if there is nothing to merge or to take apart.
    """
    settings = get_settings()
    pair = _Pair(tenant, one, other)
    if one == other:
        raise UsageError("This is the same id twice.", "Name two ids of one tenant.")
    with connect(settings) as warehouse, nullcontext() if dry_run else exclusive(warehouse, command):
        before = _graph(warehouse, pair)
        _require_known(warehouse, pair, before)
        if command == "unmerge":
            _require_said(warehouse, pair, before)
        with warehouse.client() as client:
            standing = commands.standing(client, settings.raw_database, pair.path(command))
        if standing:
            out().print(f"Load {standing[0].load_seq} says so already: nothing to do.")
            return
        if _is_published(warehouse):
            is_merge = command == "merge"
            after = before.with_merge(one, other, datetime.now(UTC)) if is_merge else before.without(one, other)
            _print_change(warehouse, pair, before.people(), after.people())
        else:
            out().print("Nothing is published yet, so it is not known who would change.")
        if dry_run:
            return
        opposite = pair.path("unmerge" if command == "merge" else "merge")
        load = commands.commit(
            warehouse, IDENTITY_MAPPINGS, pair.path(command), _rows(pair, command), instead_of=[opposite]
        )
        out().print(f"Said in load {load.load_seq}; the next footfall build applies it.")


def _rows(pair: _Pair, command: str) -> list[dict[str, object]]:
    """A merge is one row: it holds in both directions. A withdrawal is of one direction, so it takes two."""
    is_merge = command == "merge"
    ends = [(pair.one, pair.other)] if is_merge else [(pair.one, pair.other), (pair.other, pair.one)]
    return [
        {
            "tenant_id": pair.tenant,
            "anonymous_id": anonymous_id,
            "user_id": user_id,
            "kind": "merge",
            "first_seen_at": datetime.now(UTC) if is_merge else None,
            "created_at": _END_OF_TIME,
            "is_deleted": int(not is_merge),
        }
        for anonymous_id, user_id in ends
    ]


def _is_published(warehouse: Warehouse) -> bool:
    return warehouse.has_table(warehouse.settings.database, "int_links")


def _graph(warehouse: Warehouse, pair: _Pair) -> Graph:
    """What the published tables know around the two ids; nothing before the first build."""
    if not _is_published(warehouse):
        return Graph()
    with warehouse.client(warehouse.settings.database) as client:
        return read(client, pair.tenant, [pair.one, pair.other])


def _require_known(warehouse: Warehouse, pair: _Pair, graph: Graph) -> None:
    known = graph.people().user_of
    for each in (pair.one, pair.other):
        if each not in known and not _is_loaded(warehouse, pair.tenant, each):
            raise UsageError(
                f"Tenant {pair.tenant} has no id {each!r}; nothing was said.",
                "footfall tenants lists the tenants; ids are in the tables events and identities.",
            )
    if _is_published(warehouse):
        for each in nobodies(warehouse, [pair.one, pair.other]):
            raise UsageError(
                f"{each!r} means nobody, and is never anybody's id; nothing was said.",
                "The seed nobody_ids lists such words.",
            )


def _is_loaded(warehouse: Warehouse, tenant: str, distinct_id: str) -> bool:
    raw = warehouse.settings.raw_database
    if not warehouse.has_table(raw, "loads"):
        return False
    with warehouse.client() as client:
        return bool(client.query(_IS_LOADED, parameters={"raw": raw, "tenant": tenant, "id": distinct_id}).result_rows)


def _require_said(warehouse: Warehouse, pair: _Pair, graph: Graph) -> None:
    """Only what was said of just these two can be taken back."""
    one, other = pair.one, pair.other
    if any(
        not each.is_withdrawal
        for each in statements(warehouse, pair.tenant, [(one, other), (other, one)], "", _ALL_LOADS)
    ):
        return
    way = graph.people().way(one, other)
    if not way:
        raise UsageError(
            f"Nothing was said of {one} and {other}: they are two people already.",
            f"footfall why --tenant {pair.tenant} {one} shows what was said of an id.",
        )
    chain = ", ".join(f"{joint.link.anonymous_id} -> {joint.link.user_id}" for joint in way)
    raise UsageError(
        f"Nothing was said of just {one} and {other}: they are one person by way of {chain}.",
        f"Take one of these pairs apart: footfall unmerge --tenant {pair.tenant} A B.",
    )


def _print_change(warehouse: Warehouse, pair: _Pair, before: People, after: People) -> None:
    gone, come = (_groups(of) - _groups(other) for of, other in ((before, after), (after, before)))
    if not come:
        joints = after.way(pair.one, pair.other)
        chain = ", ".join(f"{joint.link.anonymous_id} -> {joint.link.user_id}" for joint in joints)
        out().print(f"Nobody changes: they are {f'one person, by way of {chain}' if joints else 'two people already'}.")
        return
    people = sorted((after.user_of[min(ids)], len(ids)) for ids in come)
    names = "; ".join(f"{name} ({_counted(count, 'id')})" for name, count in people)
    if len(gone) == len(come):
        out().print(f"{_people(len(gone))} change{'s' * (len(gone) == 1)}: {names}.")
    else:
        out().print(f"{_people(len(gone))} become{'s' * (len(gone) == 1)} {len(come):,}: {names}.")
    for each in before.user_of.keys() - after.user_of.keys():
        out().print(f"{each} sent no events and no other link names it: it is no id of the tenant any more.")
    moved = [each for each, user_id in after.user_of.items() if before.user_of.get(each, each) != user_id]
    if moved:
        left = sorted({before.user_of.get(each, each) for each in moved})
        sessions, days, events = _moves(warehouse, pair.tenant, moved, left)
        what = f"{_counted(sessions, 'session')} on {_counted(days, 'day')} ({_counted(events, 'event')})"
        out().print(f"{_counted(len(moved), 'id')} under another person, and with that {what}.")


def _people(count: int) -> str:
    return f"{count:,} {'person' if count == 1 else 'people'}"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _groups(people: People) -> set[frozenset[str]]:
    ids: dict[str, set[str]] = {}
    for each, user_id in people.user_of.items():
        ids.setdefault(user_id, set()).add(each)
    return {frozenset(group) for group in ids.values()}


def _moves(warehouse: Warehouse, tenant: str, moved: Sequence[str], left: Sequence[str]) -> tuple[int, int, int]:
    """Sessions, days and events that go with the ids to another person, by the published tables."""
    rows = b"\n".join(orjson.dumps({"id": each}) for each in moved)
    sent = ExternalData(file_name="moved", fmt="JSONEachRow", structure=["id String"], data=rows)
    with warehouse.client(warehouse.settings.database) as client:
        sessions, days, events = client.query(
            _MOVES, parameters={"tenant": tenant, "left": list(left)}, external_data=sent
        ).first_row
    return int(sessions), int(days), int(events)
