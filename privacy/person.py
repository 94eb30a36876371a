"""A person of a tenant, as the published tables know them: all their ids, and what they are known by."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
# What a telephone number is called, and how many digits make one that is nobody else's.
_TELEPHONE = re.compile("phone|mobile|whatsapp", re.IGNORECASE)
_DIGITS = 7


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
    traits = {trait for (text,) in rows for trait in traits_of(orjson.loads(text))}
    return Person(tenant, ids, sorted(traits - set(ids)))


def traits_of(attributes: Mapping[str, Any]) -> set[str]:
    """The values of a person's attributes that name this person alone: addresses of mail and telephone numbers.

    Names are not among them: others have the same, and what is theirs would be taken for this person's.
    """
    found = set()
    for name, value in attributes.items():
        text = str(value) if isinstance(value, str | int) else ""
        is_number = _TELEPHONE.search(name) and sum(map(str.isdigit, text)) >= _DIGITS
        if "@" in text or is_number:
            found.add(text)
    return found
