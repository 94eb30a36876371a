"""A person of a tenant, as the published tables know them: all their ids, and what they are known by."""

from dataclasses import dataclass

import orjson
from clickhouse_connect.driver.client import Client

from ingest.erasures import UNLOGGED

_IDS = """
    SELECT DISTINCT distinct_id
    FROM {db:Identifier}.identities
    WHERE
        tenant_id = {tenant:String}
        AND user_id IN (
            SELECT user_id
            FROM {db:Identifier}.identities
            WHERE tenant_id = {tenant:String} AND distinct_id = {user:String}
            UNION ALL
            SELECT user_id
            FROM {db:Identifier}.users
            WHERE tenant_id = {tenant:String} AND (user_id = {user:String} OR tracking_id = {user:String})
        )
    ORDER BY distinct_id
"""
_ATTRIBUTES = """
    SELECT attributes FROM {db:Identifier}.users WHERE tenant_id = {tenant:String} AND user_id IN {ids:Array(String)}
"""


@dataclass(frozen=True)
class Person:
    """A person: `traits` are values of theirs that name them, such as an address of mail."""

    tenant: str
    ids: list[str]
    traits: list[str]


def person_of(client: Client, database: str, tenant: str, user: str) -> Person | None:
    """The person of a tenant that an id, a user id or a tracking id is of; None if there is nobody."""
    names = {"db": database, "tenant": tenant, "user": user}
    ids = [one for (one,) in client.query(_IDS, parameters=names, settings=UNLOGGED).result_rows]
    if not ids:
        return None
    given = {"db": database, "tenant": tenant, "ids": ids}
    rows = client.query(_ATTRIBUTES, parameters=given, settings=UNLOGGED).result_rows
    values = [value for (text,) in rows for value in orjson.loads(text).values()]
    traits = sorted({value for value in values if isinstance(value, str) and "@" in value} - set(ids))
    return Person(tenant, ids, traits)
