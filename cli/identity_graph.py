"""Who is who around some ids: the links that stand in the published tables, and the people that follow from them.

The rules are those of docs/semantics.md. dbt_project/models/intermediate/identity applies them to everything; here they
are applied to a few people, to explain them or to try what a change would do. tests/cli/test_identity.py holds the two
together.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from clickhouse_connect.driver.client import Client

# Unknown times come last.
_NEVER = datetime(2299, 12, 31, tzinfo=UTC)

# The people of the ids, all that links lead to from there, and their people: no link leads out of it.
_SCOPE = """
    WITH
    members AS
    (
        SELECT distinct_id
        FROM identities
        WHERE tenant_id = {tenant:String} AND user_id IN
        (
            SELECT user_id FROM identities WHERE tenant_id = {tenant:String} AND distinct_id IN {ids:Array(String)}
        )
        UNION DISTINCT
        SELECT arrayJoin({ids:Array(String)})
    ),
    neighbours AS
    (
        SELECT other_id FROM int_links WHERE tenant_id = {tenant:String} AND distinct_id IN (SELECT * FROM members)
    ),
    scope AS
    (
        SELECT distinct_id FROM members
        UNION DISTINCT
        SELECT distinct_id
        FROM identities
        WHERE tenant_id = {tenant:String} AND user_id IN
        (
            SELECT user_id
            FROM identities
            WHERE tenant_id = {tenant:String} AND distinct_id IN (SELECT * FROM neighbours)
        )
    )
"""
_SIGHTS = f"""
    {_SCOPE}
    SELECT distinct_id, max(is_said), min(seen_at)
    FROM
    (
        SELECT distinct_id, says_identified AS is_said, toNullable(first_at) AS seen_at
        FROM int_id_days
        WHERE tenant_id = {{tenant:String}} AND distinct_id IN (SELECT * FROM scope)
        UNION ALL
        -- a link that leads out of the scope joins nobody, and yet says who is identified
        SELECT distinct_id, side = 'user' AND is_link AS is_said, first_seen_at AS seen_at
        FROM int_links
        WHERE
            tenant_id = {{tenant:String}}
            AND distinct_id IN (SELECT * FROM scope) AND other_id NOT IN (SELECT * FROM scope)
    )
    GROUP BY distinct_id
"""  # noqa: S608 - our own text
_LINKS = f"""
    {_SCOPE}
    SELECT distinct_id, other_id, kind, is_link, is_mapped, first_seen_at
    FROM int_links
    WHERE
        tenant_id = {{tenant:String}} AND side = 'anonymous'
        AND distinct_id IN (SELECT * FROM scope) AND other_id IN (SELECT * FROM scope)
    ORDER BY distinct_id, other_id
"""  # noqa: S608 - our own text


@dataclass(frozen=True)
class Link:
    """A link that stands. `kind` is link or merge; `is_link`: it was said as a link, so its user is identified;
    `is_mapped`: a row of identity mappings said it, so it is a merge if its anonymous side is identified.
    """

    anonymous_id: str
    user_id: str
    kind: str
    is_link: bool
    is_mapped: bool
    first_seen_at: datetime | None

    @property
    def ends(self) -> frozenset[str]:
        """Its two ids."""
        return frozenset((self.anonymous_id, self.user_id))


@dataclass(frozen=True)
class Joint:
    """A link that joins two ids into one person, and why it does."""

    link: Link
    why: str


@dataclass(frozen=True)
class People:
    """What the rules make of a graph: whom each id belongs to, and by which links."""

    user_of: Mapping[str, str]
    joints: Sequence[Joint]
    identified: frozenset[str]

    def ids_of(self, user_id: str) -> list[str]:
        """The ids of a person, in alphabetical order."""
        return sorted(each for each, user in self.user_of.items() if user == user_id)

    def way(self, start: str, end: str) -> list[Joint]:
        """The shortest chain of links that makes two ids one person; empty if they are not."""
        around: dict[str, list[tuple[str, Joint]]] = defaultdict(list)
        for joint in self.joints:
            one, other = joint.link.anonymous_id, joint.link.user_id
            around[one].append((other, joint))
            around[other].append((one, joint))
        came: dict[str, tuple[str, Joint] | None] = {start: None}
        queue = deque([start])
        while queue and end not in came:
            here = queue.popleft()
            for there, joint in around[here]:
                if there not in came:
                    came[there] = (here, joint)
                    queue.append(there)
        steps = []
        at = end
        while step := came.get(at):
            at = step[0]
            steps.append(step[1])
        return steps[::-1]


@dataclass(frozen=True)
class Graph:
    """Ids with what their own events, and links to others, say of them (identified, first time), and the links among
    them.
    """

    sights: Mapping[str, tuple[bool, datetime | None]] = field(default_factory=dict)
    links: Sequence[Link] = ()

    def with_merge(self, one: str, other: str, at: datetime) -> "Graph":
        """The same if it were said that two ids are one person."""
        before = [link for link in self.links if (link.anonymous_id, link.user_id) == (one, other)]
        said_before = before[0] if before else Link(one, other, "merge", False, True, at)
        first = min(said_before.first_seen_at or at, at)
        others = [link for link in self.links if link not in before]
        return replace(self, links=[*others, replace(said_before, kind="merge", is_mapped=True, first_seen_at=first)])

    def without(self, one: str, other: str) -> "Graph":
        """The same if nothing that was said of just these two ids counted."""
        return replace(self, links=[link for link in self.links if link.ends != {one, other}])

    def people(self) -> People:
        """Apply the rules."""
        identified = {each for each, (says_so, _) in self.sights.items() if says_so}
        identified |= {link.user_id for link in self.links if link.is_link}
        first = {each: at or _NEVER for each, (_, at) in self.sights.items()}
        for link in self.links:
            for end in link.ends:
                first[end] = min(first.get(end, _NEVER), link.first_seen_at or _NEVER)
        joints = [
            Joint(link, "a merge" if link.kind == "merge" else "a mapping of one identified id to another")
            for link in self.links
            if link.kind == "merge" or (link.is_mapped and link.anonymous_id in identified)
        ]
        group_of = _groups(first, (joint.link for joint in joints))
        joints += _attachments(self.links, group_of, {group_of[each] for each in identified})
        person_of = _groups(first, (joint.link for joint in joints))
        name_of: dict[str, str] = {}
        for each in sorted(first, key=lambda each: (each not in identified, first[each], each)):
            name_of.setdefault(person_of[each], each)
        return People({each: name_of[person_of[each]] for each in first}, joints, frozenset(identified))


def _attachments(links: Sequence[Link], group_of: Mapping[str, str], identified_groups: set[str]) -> list[Joint]:
    """The earliest link of each group of merged ids without an identified one."""
    earliest: dict[str, Link] = {}
    for link in links:
        group = group_of[link.anonymous_id]
        if link.kind == "link" and group not in identified_groups:
            earliest[group] = min(link, earliest.get(group, link), key=_by_time)
    return [Joint(link, "the earliest link") for link in earliest.values()]


def _by_time(link: Link) -> tuple[datetime, str]:
    return link.first_seen_at or _NEVER, link.user_id


def _groups(ids: Iterable[str], links: Iterable[Link]) -> dict[str, str]:
    """The smallest id of all that links connect, for every id."""
    root = {each: each for each in ids}

    def find(each: str) -> str:
        while root[each] != each:
            root[each] = root[root[each]]
            each = root[each]
        return each

    for link in links:
        one, other = sorted((find(link.anonymous_id), find(link.user_id)))
        root[other] = one
    return {each: find(each) for each in root}


def read(client: Client, tenant: str, ids: Sequence[str]) -> Graph:
    """The graph of all that can change if something is said of these ids; the published database is the default one.

    An id that is not known is left out.
    """
    names = {"tenant": tenant, "ids": list(ids)}
    sights = {
        distinct_id: (bool(says_identified), utc(first_at))
        for distinct_id, says_identified, first_at in client.query(_SIGHTS, parameters=names).result_rows
    }
    links = [
        Link(anonymous_id, user_id, kind, bool(is_link), bool(is_mapped), utc(first_seen_at))
        for anonymous_id, user_id, kind, is_link, is_mapped, first_seen_at in client.query(
            _LINKS, parameters=names
        ).result_rows
    ]
    return Graph(sights, links)


def utc(at: datetime | None) -> datetime | None:
    """A time from the warehouse, which is in UTC whether it says so or not."""
    return at.replace(tzinfo=UTC) if at and at.tzinfo is None else at
