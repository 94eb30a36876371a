"""`footfall why`: what makes an id the person it is, as the published tables have it."""

from collections.abc import Sequence
from datetime import datetime

from cli.console import err, out, print_table
from cli.identity_graph import Graph, Joint, Link, People, read
from cli.identity_statements import Pair, Statement, nobodies, statements
from ingest import ledger
from warehouse.connection import Warehouse, connect
from warehouse.errors import UsageError
from warehouse.settings import get_settings

# Of a person with thousands of ids the rest is for footfall sql.
_MOST_SHOWN = 50


def run_why(tenant: str, distinct_id: str) -> None:
    """Print it; raises UsageError for an id that no published table knows."""
    from orchestration.plan import published_seq

    with connect(get_settings()) as warehouse:
        seq = published_seq(warehouse)
        if seq is None:
            raise UsageError("Nothing is published yet.", "footfall build builds what is loaded.")
        with warehouse.client(warehouse.settings.database) as client:
            graph = read(client, tenant, [distinct_id])
        people = graph.people()
        if distinct_id not in people.user_of:
            raise UsageError(
                f"Tenant {tenant} has no id {distinct_id!r} in the published tables.",
                "If it has just been loaded: footfall build. footfall tenants lists the tenants.",
            )
        joints = _joints(people, distinct_id)
        pairs = [(joint.link.anonymous_id, joint.link.user_id) for joint in joints]
        said = statements(warehouse, tenant, pairs, distinct_id, seq)
        refused = _refused(warehouse, graph, people, distinct_id, said)
        with warehouse.client() as client:
            waiting = ledger.changes_since(client, warehouse.settings.raw_database, seq)
    _print_person(people, graph, tenant, distinct_id)
    if joints:
        is_name = people.user_of[distinct_id] == distinct_id
        out().print(f"\nWhat makes {'the other ids' if is_name else distinct_id} {people.user_of[distinct_id]}:")
        print_table(("", "Link", "It counts as", "First said (UTC)", "By"), _steps(joints, said))
    if refused:
        out().print(f"\nWhat was said of {distinct_id} and does not count:")
        print_table(("Link", "Because", "First said (UTC)", "By"), refused)
    if waiting:
        loads = "1 load waits" if waiting == 1 else f"{waiting:,} loads wait"
        err().print(f"{loads} to be built, and what they say is not looked at.")


def _joints(people: People, distinct_id: str) -> list[Joint]:
    """The way from an id to its person's name; from the name itself, all that joins others to it, by time."""
    user_id = people.user_of[distinct_id]
    if user_id != distinct_id:
        return people.way(distinct_id, user_id)
    own = [joint for joint in people.joints if people.user_of[joint.link.user_id] == user_id]
    return sorted(own, key=lambda joint: _time_of(joint.link))[:_MOST_SHOWN]


def _time_of(link: Link) -> tuple[bool, str, str, str]:
    return link.first_seen_at is None, str(link.first_seen_at), link.anonymous_id, link.user_id


def _print_person(people: People, graph: Graph, tenant: str, distinct_id: str) -> None:
    user_id = people.user_of[distinct_id]
    ids = people.ids_of(user_id)
    identified = (
        "the identified id that appeared first" if user_id in people.identified else "nobody has logged in there"
    )
    more = f" and {len(ids) - _MOST_SHOWN:,} more" if len(ids) > _MOST_SHOWN else ""
    out().print(f"{distinct_id} is {user_id} in tenant {tenant} (named so: {identified}).")
    out().print(f"{len(ids):,} id{'s' * (len(ids) > 1)} of this person: {', '.join(ids[:_MOST_SHOWN])}{more}.")


def _steps(joints: Sequence[Joint], said: Sequence[Statement]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = []
    for number, joint in enumerate(joints, start=1):
        link = joint.link
        of_pair = [each for each in said if each.pair == (link.anonymous_id, link.user_id) and not each.is_withdrawal]
        # what made it a merge, if it is one
        telling = [each for each in of_pair if each.kind == link.kind] or of_pair
        rows.append((str(number), _arrow(link.anonymous_id, link.user_id), joint.why, *_who_said(telling)))
    return rows


def _who_said(said: Sequence[Statement]) -> tuple[str, str]:
    """When it was first said, and by what; how often else."""
    if not said:
        return "", ""
    times = sum(each.count for each in said)
    more = (
        f"; said {times:,} times, the last at {_time(max(each.until for each in said if each.until))}"
        if times > 1
        else ""
    )
    return _time(said[0].at), f"{said[0].source}{more}"


def _refused(
    warehouse: Warehouse, graph: Graph, people: People, distinct_id: str, said: Sequence[Statement]
) -> list[Sequence[str]]:
    """Pairs with the id of which something was said that joins nobody."""
    standing = {(link.anonymous_id, link.user_id): link for link in graph.links}
    pairs = sorted({each.pair for each in said if distinct_id in each.pair})
    unlinked = {each for pair in pairs if pair not in standing for each in pair}
    nobody = set(nobodies(warehouse, unlinked)) if unlinked else set()
    rows: list[Sequence[str]] = []
    for pair in pairs:
        of_pair = [each for each in said if each.pair == pair]
        if all(each.is_withdrawal for each in of_pair):
            continue
        if pair in standing:
            kept = people.user_of[pair[0]]
            if kept == people.user_of[pair[1]]:
                continue
            because = (
                f"an event joins no identified id to another, and {pair[0]} is one"
                if pair[0] in people.identified
                else f"an earlier link or a merge takes precedence: {pair[0]} belongs to {kept}"
            )
        else:
            because = _why_unlinked(pair, of_pair, nobody)
        rows.append(
            (
                _arrow(*pair),
                because,
                *_who_said([each for each in of_pair if not each.is_withdrawal] or of_pair),
            )
        )
    return rows


def _why_unlinked(pair: Pair, said: Sequence[Statement], nobody: set[str]) -> str:
    meaningless = [each for each in pair if each in nobody]
    withdrawals = [each for each in said if each.is_withdrawal]
    if pair[0] == pair[1]:
        return "it is the same id twice"
    if meaningless:
        return f"{meaningless[0]!r} means nobody"
    if withdrawals:
        last = withdrawals[-1]
        return f"withdrawn{f' {_time(last.until)}' if last.until else ''} by {last.source}"
    return f"a row without a tenant holds only where {pair[0]} has sent events"


def _arrow(anonymous_id: str, user_id: str) -> str:
    return f"{anonymous_id} -> {user_id}"


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else "not said"
