"""Who is who: links and merges of ids into people."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.oracle.project import is_nobody, var
from tests.oracle.reading import Event, Row, first_of, moment_of, text_of

Id = tuple[str, str]  # tenant and id

# Why a link was not followed.
EARLIER = "an earlier link or a merge takes precedence"
IDENTIFIED = "the anonymous id is itself an identified id"

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Statement:
    """That an anonymous id and a user are one, or that they are not (any more)."""

    tenant_id: str
    anonymous_id: str
    user_id: str
    kind: str  # link or merge
    first_seen_at: datetime | None
    stated_at: datetime
    is_deleted: bool
    is_mapping: bool


@dataclass(frozen=True)
class Link:
    """What came of all statements on a pair of ids."""

    tenant_id: str
    anonymous_id: str
    user_id: str
    is_merge: bool
    is_link: bool
    is_mapping: bool
    first_seen_at: datetime | None

    @property
    def time(self) -> datetime:
        """When it was first seen; links of unknown time come last."""
        return self.first_seen_at or NEVER


@dataclass(frozen=True)
class Identities:
    """The people: `person_of` and `first_seen_at` by tenant and id."""

    person_of: dict[Id, str]
    identified: set[Id]
    first_seen_at: dict[Id, datetime | None]
    conflicts: list[Row]


def mapping_of(row: Row) -> Row:
    """A row of identity mappings as it is read."""
    created_at = first_of(row, "created_at", "timestamp")
    first_seen_at = first_of(row, "first_seen", "first_seen_at")
    return {
        "tenant_id": text_of(row.get("tenant_id")),
        "anonymous_id": text_of(row["anonymous_id"]),
        "user_id": text_of(row["user_id"]),
        "kind": text_of(row.get("kind")) or "link",
        "created_at": moment_of(created_at) if created_at else None,
        "first_seen_at": moment_of(first_seen_at) if first_seen_at else None,
        "is_deleted": text_of(row.get("is_deleted")).lower() in ("1", "true"),
    }


def identities(events: list[Event], mappings: list[Row]) -> Identities:
    """People out of the events that stand and the rows of identity mappings."""
    links = standing_links([*_said_by_mappings(mappings, events), *_said_by_events(events)])
    identified = {(event["tenant_id"], event["distinct_id"]) for event in events if event["is_identified"]}
    identified |= {(link.tenant_id, link.user_id) for link in links if link.is_link}
    identified = {(tenant_id, distinct_id) for tenant_id, distinct_id in identified if distinct_id}

    ids = {(event["tenant_id"], event["distinct_id"]) for event in events if event["distinct_id"]}
    ids |= {(link.tenant_id, end) for link in links for end in (link.anonymous_id, link.user_id)}
    first_seen_at = _first_sights(ids, events, links)

    merges = []  # pairs that are one person
    offers = []  # links that an anonymous id may follow
    refused = []  # links of an event that would weld two accounts
    for link in links:
        if link.is_merge:
            merges.append(link)
        elif (link.tenant_id, link.anonymous_id) not in identified:
            offers.append(link)
        elif link.is_mapping:
            merges.append(link)
        else:
            refused.append(link)

    merged = _components(ids, ((link.tenant_id, link.anonymous_id, link.user_id) for link in merges))
    # every group without an identified id attaches once: to the user of its earliest link
    attached: dict[Id, Link] = {}
    offers_of = defaultdict(list)
    for link in offers:
        offers_of[merged[link.tenant_id, link.anonymous_id]].append(link)
    has_identified = {merged[one] for one in identified if one in merged}
    for group, of_group in offers_of.items():
        if group not in has_identified:
            attached[group] = min(of_group, key=lambda link: (link.time, link.user_id))
    people = _components(
        ids,
        [(link.tenant_id, link.anonymous_id, link.user_id) for link in [*merges, *attached.values()]],
    )

    members = defaultdict(list)
    for one in sorted(ids):
        members[people[one]].append(one)
    person_of: dict[Id, str] = {}
    for of_person in members.values():
        candidates = [one for one in of_person if one in identified] or of_person
        named_after = min(candidates, key=lambda one: (first_seen_at[one] or NEVER, one[1]))
        person_of |= dict.fromkeys(of_person, named_after[1])

    conflicts = [
        _conflict(link, person_of, reason)
        for reason, not_followed in ((EARLIER, offers), (IDENTIFIED, refused))
        for link in not_followed
        if person_of[link.tenant_id, link.anonymous_id] != person_of[link.tenant_id, link.user_id]
    ]
    return Identities(person_of, identified, first_seen_at, conflicts)


def standing_links(statements: Iterable[Statement]) -> list[Link]:
    """The pairs whose latest statement is no withdrawal; nobody and an id with itself are no pair."""
    pairs = defaultdict(list)
    for said in statements:
        if said.anonymous_id != said.user_id and not is_nobody(said.anonymous_id) and not is_nobody(said.user_id):
            pairs[said.tenant_id, said.anonymous_id, said.user_id].append(said)
    links = []
    for (tenant_id, anonymous_id, user_id), of_pair in sorted(pairs.items()):
        last = max(of_pair, key=lambda said: (said.stated_at, said.is_deleted))
        if last.is_deleted:
            continue
        sights = [said.first_seen_at for said in of_pair if said.first_seen_at]
        standing = [said for said in of_pair if not said.is_deleted]
        links.append(
            Link(
                tenant_id,
                anonymous_id,
                user_id,
                is_merge=any(said.kind == "merge" for said in standing),
                is_link=any(said.kind == "link" for said in standing),
                is_mapping=any(said.is_mapping for said in standing),
                first_seen_at=min(sights, default=None),
            )
        )
    return links


def _said_by_mappings(mappings: list[Row], events: list[Event]) -> Iterable[Statement]:
    """What the rows of identity mappings say; one without a tenant holds where its anonymous id has sent events."""
    senders = defaultdict(set)
    for event in events:
        senders[event["distinct_id"]].add(event["tenant_id"])
    for row in mappings:
        for tenant_id in [row["tenant_id"]] if row["tenant_id"] else senders[row["anonymous_id"]]:
            yield Statement(
                tenant_id,
                row["anonymous_id"],
                row["user_id"],
                row["kind"],
                row["first_seen_at"] or row["created_at"],
                # without any time: before all other statements
                row["created_at"] or row["first_seen_at"] or BEGINNING,
                row["is_deleted"],
                is_mapping=True,
            )


def _said_by_events(events: list[Event]) -> Iterable[Statement]:
    """What events say: those that name another id, and any event that carries a user id and an anonymous id."""
    for event in events:
        said: list[tuple[str, str, str]] = [("link", event["anonymous_id"], event["sent_user_id"])]
        if event["event"] in var("link_events"):
            said.append(("link", event["previous_id"], event["distinct_id"]))
        if event["event"] in var("merge_events"):
            said.append(("merge", event["previous_id"], event["distinct_id"]))
        for kind, anonymous_id, user_id in said:
            at = event["timestamp"]
            yield Statement(event["tenant_id"], anonymous_id, user_id, kind, at, at, False, is_mapping=False)


def _first_sights(ids: set[Id], events: list[Event], links: list[Link]) -> dict[Id, datetime | None]:
    """When each id first appeared, in an event or in a link; None if nobody says."""
    sights: dict[Id, list[datetime]] = defaultdict(list)
    for event in events:
        sights[event["tenant_id"], event["distinct_id"]].append(event["timestamp"])
    for link in links:
        if link.first_seen_at:
            sights[link.tenant_id, link.anonymous_id].append(link.first_seen_at)
            sights[link.tenant_id, link.user_id].append(link.first_seen_at)
    return {one: min(sights[one], default=None) for one in ids}


def _components(ids: set[Id], pairs: Iterable[tuple[str, str, str]]) -> dict[Id, Id]:
    """For every id the smallest id that it is connected with."""
    neighbours = defaultdict(set)
    for tenant_id, one, other in pairs:
        neighbours[tenant_id, one].add((tenant_id, other))
        neighbours[tenant_id, other].add((tenant_id, one))
    component: dict[Id, Id] = {}
    for start in sorted(ids):
        if start in component:
            continue
        component[start] = start
        waiting = [start]
        while waiting:
            for neighbour in neighbours[waiting.pop()]:
                if neighbour not in component:
                    component[neighbour] = start
                    waiting.append(neighbour)
    return component


def _conflict(link: Link, person_of: dict[Id, str], reason: str) -> Row:
    return {
        "tenant_id": link.tenant_id,
        "anonymous_id": link.anonymous_id,
        "rejected_user_id": link.user_id,
        "kept_user_id": person_of[link.tenant_id, link.anonymous_id],
        "first_seen_at": link.first_seen_at,
        "reason": reason,
    }


def identity_rows(known: Identities) -> list[Row]:
    """The table `identities`."""
    return [
        {
            "tenant_id": tenant_id,
            "distinct_id": distinct_id,
            "user_id": user_id,
            "is_identified": (tenant_id, distinct_id) in known.identified,
            "first_seen_at": known.first_seen_at[tenant_id, distinct_id],
        }
        for (tenant_id, distinct_id), user_id in known.person_of.items()
    ]


def is_identified_event(event: Event, known: Identities) -> bool:
    """Whether an event says that it is identified, or was sent under an identified id."""
    return event["is_identified"] or (event["tenant_id"], event["distinct_id"]) in known.identified


def person(event: Event, known: Identities) -> str:
    """The person of an event; nobody is empty."""
    return known.person_of.get((event["tenant_id"], event["distinct_id"]), "")
