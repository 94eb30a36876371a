"""What files, events and commands said of pairs of ids, and where they said it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from clickhouse_connect.driver.client import Client

from cli.identity_graph import utc
from ingest import commands
from warehouse.connection import Warehouse

Pair = tuple[str, str]

_MAPPINGS = """
    SELECT
        anonymous_id, user_id, kind, first_seen_at, created_at, is_deleted, tenant_id, path, line, committed_at
    FROM {raw:Identifier}.identity_mappings AS mappings
    INNER JOIN
    (
        SELECT load_id, path, committed_at
        FROM {raw:Identifier}.loads FINAL
        WHERE
            load_seq BETWEEN 1 AND {seq:UInt64}
            AND (superseded_seq = 0 OR superseded_seq > {seq:UInt64})
    ) AS loads USING (load_id)
    WHERE
        tenant_id IN ('', {tenant:String})
        AND (
            has(arrayZip({anonymous:Array(String)}, {users:Array(String)}), (anonymous_id, user_id))
            OR {id:String} IN (anonymous_id, user_id)
        )
"""
_EVENTS = """
    SELECT
        link.anonymous_id, link.user_id, link.kind, count(), min(timestamp), max(timestamp),
        argMin((event, event_date, event_id), (timestamp, event_id))
    FROM {database:Identifier}.int_events
    ARRAY JOIN links AS link
    WHERE
        tenant_id = {tenant:String}
        AND (
            has(arrayZip({anonymous:Array(String)}, {users:Array(String)}), (link.anonymous_id, link.user_id))
            OR {id:String} IN (link.anonymous_id, link.user_id)
        )
    GROUP BY link.anonymous_id, link.user_id, link.kind
"""
# Pairs of ids whose accounts at a synced source are of one person.
_ACCOUNTS = """
    SELECT pair.1, pair.2
    FROM (SELECT arrayJoin(arrayZip({anonymous:Array(String)}, {users:Array(String)})) AS pair) AS pairs
    INNER JOIN (SELECT * FROM {database:Identifier}.int_accounts WHERE tenant_id = {tenant:String}) AS one
        ON one.distinct_id = pair.1
    INNER JOIN (SELECT * FROM {database:Identifier}.int_accounts WHERE tenant_id = {tenant:String}) AS other
        ON other.distinct_id = pair.2
    WHERE hasAny(one.matched_by, other.matched_by)
"""
# The version of an event that counts.
_PLACE = """
    SELECT path, line
    FROM {raw:Identifier}.events AS events
    INNER JOIN
    (
        SELECT load_id, path, load_order
        FROM {raw:Identifier}.loads FINAL
        WHERE
            load_seq BETWEEN 1 AND {seq:UInt64}
            AND (superseded_seq = 0 OR superseded_seq > {seq:UInt64})
    ) AS loads USING (load_id)
    WHERE tenant_id = {tenant:String} AND event_date = {day:Date} AND event_id = {event_id:String}
    ORDER BY received_at ASC NULLS LAST, load_order DESC, line DESC
    LIMIT 1
"""
# As the macro is_nobody has it.
_NOBODY = """
    SELECT id
    FROM (SELECT arrayJoin({ids:Array(String)}) AS id)
    WHERE lowerUTF8(trimBoth(id, ' \\t\\r\\n"''`')) IN
    (
        SELECT lowerUTF8(trimBoth(distinct_id, ' \\t\\r\\n"''`')) FROM {database:Identifier}.nobody_ids
        UNION ALL
        SELECT ''
    )
"""


@dataclass(frozen=True)
class Statement:
    """What a row of mappings, two accounts, or all events of a kind (`count` of them) said of a pair, first `at`, last
    `until`.
    """

    pair: Pair
    kind: str
    at: datetime | None
    until: datetime | None
    is_withdrawal: bool
    is_for_all_tenants: bool
    source: str
    count: int = 1


def statements(
    warehouse: Warehouse, tenant: str, pairs: Collection[Pair], distinct_id: str, seq: int
) -> list[Statement]:
    """All that loads up to `seq` said of these pairs, and of pairs with this id ('': only of the pairs), by time."""
    ordered = list(pairs)
    names = {
        "raw": warehouse.settings.raw_database,
        "database": warehouse.settings.database,
        "tenant": tenant,
        "anonymous": [pair[0] for pair in ordered],
        "users": [pair[1] for pair in ordered],
        "id": distinct_id,
        "seq": seq,
    }
    found = []
    with warehouse.client() as client:
        for (
            anonymous_id, user_id, kind, first_seen_at, created_at, is_deleted, of_tenant, path, line, committed_at,
        ) in client.query(_MAPPINGS, parameters=names).result_rows:  # fmt: skip
            by_command = commands.is_path(path)
            found.append(
                Statement(
                    pair=(anonymous_id, user_id),
                    kind=kind,
                    at=utc(committed_at if by_command else first_seen_at or created_at),
                    until=utc(committed_at if by_command else created_at or first_seen_at),
                    is_withdrawal=bool(is_deleted),
                    is_for_all_tenants=not of_tenant,
                    source=commands.typed(path) if by_command else f"{path} line {line}",
                )
            )
        if warehouse.has_table(warehouse.settings.database, "int_events"):
            for anonymous_id, user_id, kind, count, first, last, event in client.query(
                _EVENTS, parameters=names
            ).result_rows:
                source = _source_of_event(client, names, event)
                found.append(
                    Statement((anonymous_id, user_id), kind, utc(first), utc(last), False, False, source, int(count))
                )
        if warehouse.has_table(warehouse.settings.database, "int_accounts"):
            source = "accounts of a synced source with the same email or the same id at the provider"
            for anonymous_id, user_id in client.query(_ACCOUNTS, parameters=names).result_rows:
                found.append(Statement((anonymous_id, user_id), "merge", None, None, False, False, source))
    return sorted(found, key=lambda each: (each.at is None, each.at, each.pair, each.source))


def _source_of_event(client: Client, names: dict[str, object], event: tuple[str, object, str]) -> str:
    name, day, event_id = event
    places = client.query(_PLACE, parameters=names | {"day": day, "event_id": event_id}).result_rows
    where = f", {places[0][0]} line {places[0][1]}" if places else ""
    return f"event {event_id} ({name}){where}"


def nobodies(warehouse: Warehouse, ids: Collection[str]) -> list[str]:
    """Those of the ids that mean nobody and never link; needs published tables."""
    with warehouse.client() as client:
        rows = client.query(_NOBODY, parameters={"ids": list(ids), "database": warehouse.settings.database}).result_rows
    return [row[0] for row in rows]
