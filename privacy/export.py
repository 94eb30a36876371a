"""All that is held on a person, as one JSON document: the right to be told."""

from typing import Any

import orjson
from clickhouse_connect.driver.client import Client

from ingest.erasures import UNLOGGED
from privacy.person import Person
from warehouse.settings import Settings

# Tables of people, their ids and what they did; by the columns that may hold one of a person's ids.
_TABLES = """
    SELECT table, groupArray(name)
    FROM system.columns
    WHERE
        database = {db:String}
        AND NOT startsWith(table, 'int_')
        AND name IN ('user_id', 'distinct_id', 'anonymous_id', 'rejected_user_id', 'kept_user_id')
        AND table IN (SELECT table FROM system.columns WHERE database = {db:String} AND name = 'tenant_id')
    GROUP BY table
    ORDER BY table
"""
_LINES = """
    SELECT text
    FROM {raw:Identifier}.lines
    WHERE (load_id, line) IN (
        SELECT load_id, line
        FROM {raw:Identifier}.events
        WHERE
            tenant_id = {tenant:String}
            AND (
                distinct_id IN {ids:Array(String)}
                OR user_id IN {ids:Array(String)}
                OR anonymous_id IN {ids:Array(String)}
                OR previous_id IN {ids:Array(String)}
            )
        UNION ALL
        SELECT load_id, line
        FROM {raw:Identifier}.identity_mappings
        WHERE
            tenant_id IN ('', {tenant:String})
            AND (anonymous_id IN {ids:Array(String)} OR user_id IN {ids:Array(String)})
    )
    ORDER BY load_id, line
"""


def document(client: Client, settings: Settings, person: Person) -> bytes:
    """The document: the person's ids, their rows of every published table, and every line as it was sent."""
    names = {"db": settings.database, "raw": settings.raw_database, "tenant": person.tenant, "ids": person.ids}
    tables: dict[str, list[Any]] = {}
    for table, columns in client.query(_TABLES, parameters=names).result_rows:
        condition = " OR ".join(
            f"{{column_{place}:Identifier}} IN {{ids:Array(String)}}" for place in range(len(columns))
        )
        named = {f"column_{place}": column for place, column in enumerate(columns)}
        rows_of_theirs = "SELECT * FROM {db:Identifier}.{table:Identifier} WHERE tenant_id = {tenant:String} AND"
        text = client.raw_query(
            f"{rows_of_theirs} ({condition}) FORMAT JSONEachRow",
            parameters=names | named | {"table": table},
            settings=UNLOGGED,
        )
        if rows := [orjson.loads(line) for line in text.splitlines()]:
            tables[table] = rows
    lines = client.query(_LINES, parameters=names, settings=UNLOGGED).result_rows
    whole = {"tenant_id": person.tenant, "ids": person.ids, "tables": tables, "sent": [text for (text,) in lines]}
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2)
