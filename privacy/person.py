"""A person of a tenant, as the published tables know them: all their ids, and what they are known by."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
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
# An email is that of accounts of a synced source; whoever else has it in the tenant is asked for, too.
_BY_EMAIL = """
    SELECT DISTINCT user_id
    FROM {db:Identifier}.mcp_accounts
    WHERE tenant_id = {tenant:String} AND lowerUTF8(trimBoth(email)) = lowerUTF8(trimBoth({user:String}))
"""
_EMAILS = """
    SELECT lowerUTF8(trimBoth(email)) AS plain
    FROM {db:Identifier}.mcp_accounts
    WHERE tenant_id = {tenant:String} AND plain != ''
    GROUP BY plain
    HAVING countIf(account_id NOT IN {ids:Array(String)}) = 0
"""
# What a telephone number is called, and how many digits make one that is nobody else's.
_TELEPHONE = re.compile("phone|mobile|whatsapp", re.IGNORECASE)
_DIGITS = 7


@dataclass(frozen=True)
class Person:
    """A person: `traits` are values of theirs that name them, such as an address of mail; `emails` are those of their
    accounts at a synced source that nobody else has there, in lower case.
    """

    tenant: str
    ids: list[str]
    traits: list[str]
    emails: list[str] = field(default_factory=list)


def person_of(client: Client, database: str, tenant: str, user: str) -> Person | None:
    """The person of a tenant that an id, a user id, a tracking id or an email of an account is of; None if there is
    nobody. An email that several people have is of all of them.
    """
    has_accounts = bool(
        client.query("EXISTS TABLE {db:Identifier}.mcp_accounts", parameters={"db": database}).first_row[0]
    )
    asked_for = [user]
    if has_accounts and "@" in user:
        names = {"db": database, "tenant": tenant, "user": user}
        asked_for += [one for (one,) in client.query(_BY_EMAIL, parameters=names, settings=UNLOGGED).result_rows]
    found = {one for each in asked_for for one in _ids_of(client, database, tenant, each)}
    if not found:
        return None
    ids = sorted(found)
    given = {"db": database, "tenant": tenant, "ids": ids}
    emails = (
        [one for (one,) in client.query(_EMAILS, parameters=given, settings=UNLOGGED).result_rows]
        if has_accounts
        else []
    )
    rows = client.query(_ATTRIBUTES, parameters=given, settings=UNLOGGED).result_rows
    traits = {trait for (text,) in rows for trait in traits_of(orjson.loads(text))}
    return Person(tenant, ids, sorted((traits | set(emails)) - set(ids)), sorted(emails))


def _ids_of(client: Client, database: str, tenant: str, user: str) -> list[str]:
    names = {"db": database, "tenant": tenant, "user": user}
    return [one for (one,) in client.query(_IDS, parameters=names, settings=UNLOGGED).result_rows]


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
