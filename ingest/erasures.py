"""Erasures: who was erased, by a keyed hash of each of their ids, and the raw rows that this takes.

An erasure is a load: its rows are committed through the ledger, and the next build takes what came of them out of all
tables. What comes later under an erased id is counted and not kept. Ids travel as parameters of statements that no log
of the server holds.
"""

import secrets
from collections.abc import Sequence
from dataclasses import replace

from clickhouse_connect.driver.client import Client

from ingest import ledger
from ingest.ledger import Load

ERASURES = "erasures"

# Statements that hold an id are in no query log.
UNLOGGED = {"log_queries": 0}
_SYNC = {"mutations_sync": 2}

_HASHED = "sipHash128Keyed((SELECT any((k0, k1)) FROM {{raw:Identifier}}.erasure_key), {tenant}, {column})"
# The columns that hold ids of people.
_ID_COLUMNS = {
    "events": ("distinct_id", "user_id", "anonymous_id", "previous_id"),
    "identity_mappings": ("anonymous_id", "user_id"),
}


def _hits(table: str) -> str:
    """The lines of a load that are of somebody who was erased."""
    conditions = [
        f"({column} != '' AND (of_tenant, {_HASHED.format(tenant='of_tenant', column=column)}) IN erased)"
        for column in _ID_COLUMNS[table]
    ]
    return f"""
        WITH erased AS (
            SELECT tenant_id, id_hash
            FROM {{raw:Identifier}}.erasures
            WHERE load_id IN (SELECT load_id FROM {{raw:Identifier}}.loads)
        )
        SELECT DISTINCT line
        FROM {{raw:Identifier}}.{table}
        -- a mapping without a tenant is of every one, as it is for an erasure that finds it there
        ARRAY JOIN if(tenant_id = '', (SELECT groupUniqArray(tenant_id) FROM erased), [tenant_id]) AS of_tenant
        WHERE load_id = {{load_id:String}} AND ({" OR ".join(conditions)})
    """  # noqa: S608 - our own text


_TAKE_EVENTS = """
    INSERT INTO {raw:Identifier}.erased_rows
        (load_id, `table`, row_load_id, row_line, tenant_id, event_date, event_id)
    SELECT {load_id:String}, 'events', load_id, line, tenant_id, event_date, event_id
    FROM {raw:Identifier}.events
    WHERE
        tenant_id = {tenant:String}
        AND (
            distinct_id IN {ids:Array(String)}
            OR user_id IN {ids:Array(String)}
            OR anonymous_id IN {ids:Array(String)}
            OR previous_id IN {ids:Array(String)}
        )
"""
_TAKE_MAPPINGS = """
    INSERT INTO {raw:Identifier}.erased_rows (load_id, `table`, row_load_id, row_line, tenant_id)
    SELECT {load_id:String}, 'identity_mappings', load_id, line, tenant_id
    FROM {raw:Identifier}.identity_mappings
    WHERE
        -- a mapping without a tenant is of this one, too
        tenant_id IN ('', {tenant:String})
        AND (anonymous_id IN {ids:Array(String)} OR user_id IN {ids:Array(String)})
"""
# Rows that could not be read are known by what they hold.
_TAKE_REJECTED = """
    INSERT INTO {raw:Identifier}.erased_rows (load_id, `table`, row_load_id, row_line, tenant_id)
    SELECT {load_id:String}, 'rejected_rows', load_id, line, {tenant:String}
    FROM {raw:Identifier}.rejected_rows
    WHERE arrayExists(word -> position(original, toJSONString(word)) > 0, {words:Array(String)})
"""
_REMEMBER = f"""
    INSERT INTO {{raw:Identifier}}.erasures (load_id, tenant_id, id_hash)
    SELECT {{load_id:String}}, {{tenant:String}}, {_HASHED.format(tenant="{tenant:String}", column="id")}
    FROM (SELECT arrayJoin(arrayDistinct({{known_by:Array(String)}})) AS id)
"""  # noqa: S608 - our own text
# What a source's database says of people who were erased, by the hashes of the rows: a mutation is kept with its text.
_SOURCE_ROWS = f"""
    WITH
        erased AS (
            SELECT tenant_id, id_hash
            FROM {{raw:Identifier}}.erasures
            WHERE load_id IN (SELECT load_id FROM {{raw:Identifier}}.loads)
        ),
        hits AS (
            SELECT DISTINCT source, `table`, key, account_id, value
            FROM
            (
                SELECT
                    source,
                    `table`,
                    key,
                    document['account_id'] AS account_id,
                    arrayJoin(mapValues(document)) AS value
                FROM {{raw:Identifier}}.{{table:Identifier}}
            )
            ARRAY JOIN (SELECT groupUniqArray(tenant_id) FROM erased) AS of_tenant
            WHERE
                (of_tenant, {_HASHED.format(tenant="of_tenant", column="value")}) IN erased
                OR (of_tenant, {_HASHED.format(tenant="of_tenant", column="lowerUTF8(trimBoth(value))")}) IN erased
        ),
        -- ids that somebody who is not erased has
        of_others AS (
            SELECT DISTINCT distinct_id
            FROM {{raw:Identifier}}.events
            WHERE
                distinct_id != ''
                AND distinct_id IN (SELECT arrayJoin([key, account_id, value]) FROM hits)
                AND (tenant_id, {_HASHED.format(tenant="tenant_id", column="distinct_id")}) NOT IN erased
        )
    SELECT DISTINCT row_hash
    FROM {{raw:Identifier}}.{{table:Identifier}}
    WHERE
        (source, `table`, key) IN (
            SELECT source, `table`, key
            FROM hits
            WHERE key NOT IN of_others AND account_id NOT IN of_others AND value NOT IN of_others
        )
"""  # noqa: S608 - our own text


def commit(
    client: Client, raw: str, tenant: str, ids: Sequence[str], traits: Sequence[str] = (), known_by: Sequence[str] = ()
) -> Load:
    """Erase a person of a tenant, who has these ids: what is committed is that their rows do not count any more.

    Rejected rows that hold an id or one of the traits go, too. What else the person is `known_by` (a tracking id that
    was asked for, emails of accounts) is remembered like the ids, as hashes.
    Whoever calls this holds the writer lock. Returns the erasure's line of the ledger, which holds no personal data.
    """
    _make_key(client, raw)
    remove_remains(client, raw)
    load = ledger.begun(client, raw, ledger.new_load(ERASURES, "erasure"))
    names = {"raw": raw, "load_id": load.load_id, "tenant": tenant, "ids": list(ids)}
    names |= {"words": [*ids, *traits], "known_by": [*ids, *known_by]}
    for statement in (_TAKE_EVENTS, _TAKE_MAPPINGS, _TAKE_REJECTED, _REMEMBER):
        client.command(statement, parameters=names, settings=UNLOGGED)
    load = replace(load, content_hash=load.load_id, rows_accepted=len(ids))
    return ledger.commit(client, raw, load)


def remove_remains(client: Client, raw: str) -> None:
    """Delete what an erasure left that broke off before it was committed."""
    ledger.remove_remains(client, raw, ERASURES)
    client.command(
        "DELETE FROM {raw:Identifier}.erased_rows WHERE load_id NOT IN (SELECT load_id FROM {raw:Identifier}.loads)",
        parameters={"raw": raw},
    )


def delete_rows(client: Client, raw: str) -> None:
    """Delete the raw rows that erasures take, and their lines, from the disk; `raw.erased_rows` still names them."""
    for table in ("events", "identity_mappings", "rejected_rows"):
        for place in (table, "lines"):
            client.command(
                "ALTER TABLE {raw:Identifier}.{place:Identifier} DELETE WHERE (load_id, line) IN"
                " (SELECT row_load_id, row_line FROM {raw:Identifier}.erased_rows WHERE `table` = {of:String})",
                parameters={"raw": raw, "place": place, "of": table},
                settings=_SYNC,
            )
    delete_source_rows(client, raw)


def delete_source_rows(client: Client, raw: str, table: str = "source_rows") -> None:
    """Delete what a source's database says of people who were erased, from the disk: every version of a row that holds
    one of their ids, unless it is of an account that somebody has who was not erased (of another tenant, mostly). The
    same from what is being read.
    """
    if not any_erased(client, raw):
        return
    names = {"raw": raw, "table": table}
    hashes = [row_hash for (row_hash,) in client.query(_SOURCE_ROWS, parameters=names).result_rows]
    if hashes:
        client.command(
            "ALTER TABLE {raw:Identifier}.{table:Identifier} DELETE WHERE row_hash IN {hashes:Array(UInt128)}",
            parameters=names | {"hashes": hashes},
            settings=_SYNC,
        )


def forget_rows(client: Client, raw: str) -> None:
    """Forget which rows erasures took: the last step, once these are deleted and no published table holds them."""
    client.command("TRUNCATE TABLE {raw:Identifier}.erased_rows", parameters={"raw": raw})


def is_erased(client: Client, raw: str, tenant: str, one: str) -> bool:
    """Whether somebody of this id was erased in the tenant."""
    if not any_erased(client, raw):
        return False
    hashed = _HASHED.format(tenant="{tenant:String}", column="{id:String}")
    found = client.query(
        f"SELECT count() FROM {{raw:Identifier}}.erasures WHERE tenant_id = {{tenant:String}} AND id_hash = {hashed}",  # noqa: S608
        parameters={"raw": raw, "tenant": tenant, "id": one},
        settings=UNLOGGED,
    ).first_row[0]
    return bool(found)


def any_erased(client: Client, raw: str) -> bool:
    """Whether anybody was ever erased: if not, no row need be looked at."""
    return bool(client.query("SELECT count() FROM {raw:Identifier}.erasures", parameters={"raw": raw}).first_row[0])


def drop_rows(client: Client, raw: str, load: Load) -> int:
    """Take rows of erased people out of a load that is not committed yet, and their lines; returns how many lines.

    Gone from the disk, not only marked.
    """
    if load.table not in _ID_COLUMNS or not any_erased(client, raw):
        return 0
    names = {"raw": raw, "load_id": load.load_id}
    lines = [line for (line,) in client.query(_hits(load.table), parameters=names).result_rows]
    delete_lines(client, raw, load, lines)
    return len(lines)


def delete_lines(client: Client, raw: str, load: Load, lines: Sequence[int]) -> None:
    """Delete lines of a load that is not committed yet, and the rows that they are, from the disk."""
    for table in (load.table, "lines") if lines else ():
        client.command(
            "ALTER TABLE {raw:Identifier}.{table:Identifier}"
            " DELETE WHERE load_id = {load_id:String} AND line IN {lines:Array(UInt64)}",
            parameters={"raw": raw, "load_id": load.load_id, "table": table, "lines": list(lines)},
            settings=_SYNC,
        )


def _make_key(client: Client, raw: str) -> None:
    if not client.query("SELECT count() FROM {raw:Identifier}.erasure_key", parameters={"raw": raw}).first_row[0]:
        key = [secrets.randbits(64), secrets.randbits(64)]
        client.insert("erasure_key", [key], column_names=["k0", "k1"], database=raw)
