"""Calls of tools become events of the tenant whose server was called.

Which server a call is of, and so which tenant, is found out once, while it is loaded, and stays: a server that is
renamed or moved, or a slug that somebody else takes later, takes no call with it. So a call that is known is not read
again.
"""

from clickhouse_connect.driver.client import Client

from ingest.ledger import Load
from ingest.sources.contract import SourceTable

# A server of a slug is the one that has it, if it was there when the call was made, else the last that had it.
_CALLS = """
    INSERT INTO {raw:Identifier}.incoming_events (
        load_id, line, tenant_id, event_id, event_date, event, timestamp, distinct_id, is_identified, session_id,
        properties, path, reason, is_read, text, read_by
    )
    WITH
        standing AS (SELECT load_id FROM {raw:Identifier}.loads FINAL WHERE status = 'committed'),
        versions AS
        (
            SELECT
                key AS id,
                load_id,
                is_deleted,
                document['slug'] AS slug,
                document['organization_id'] AS organization_id,
                toDateTime64(document['created_at'], 6, 'UTC') AS created_at
            FROM
            (
                SELECT key, load_id, is_deleted,
                    if(document['created_at'] = '', mapUpdate(document, map('created_at', '0')), document) AS document
                FROM {raw:Identifier}.source_rows
                WHERE
                    source = {source:String}
                    AND `table` = 'mcp_server'
                    AND (load_id = {rows_load:String} OR load_id IN standing)
            )
        ),
        servers AS
        (
            SELECT
                versions.id AS id,
                argMax(versions.slug, versions.load_id) AS slug,
                argMax(versions.organization_id, versions.load_id) AS organization_id,
                argMax(versions.created_at, versions.load_id) AS created_at,
                argMax(versions.is_deleted, versions.load_id) AS is_deleted
            FROM versions
            GROUP BY versions.id
        ),
        present_slugs AS
        (
            SELECT servers.slug AS slug, argMax((servers.id, servers.created_at), servers.created_at) AS server
            FROM servers
            WHERE NOT is_deleted
            GROUP BY servers.slug
        ),
        earlier_slugs AS
        (
            SELECT versions.slug AS slug, argMax(versions.id, versions.load_id) AS id
            FROM versions
            WHERE (versions.id, versions.slug) NOT IN (SELECT id, slug FROM servers WHERE NOT is_deleted)
            GROUP BY versions.slug
        ),
        calls AS
        (
            SELECT
                replaceAll(key, '\\x1f', ':') AS event_id,
                document,
                parseDateTime64BestEffortOrNull(
                    if(document['started_at'] != '', document['started_at'], document['created_at']), 6, 'UTC'
                ) AS timestamp,
                if(document['account_id'] IN ('anonymous', 'unknown'), '', document['account_id']) AS account_id,
                document['operation'] AS operation
            FROM {raw:Identifier}.source_snapshot
            WHERE source = {source:String} AND `table` = {table:String}
        ),
        placed AS
        (
            SELECT
                calls.*,
                multiIf(
                    calls.document['server_id'] != '', calls.document['server_id'],
                    present.server.1 != '' AND present.server.2 <= calls.timestamp, present.server.1,
                    earlier.id
                ) AS server_id
            FROM calls
            LEFT JOIN present_slugs AS present ON calls.document['server_slug'] = present.slug
            LEFT JOIN earlier_slugs AS earlier ON calls.document['server_slug'] = earlier.slug
            WHERE
                calls.operation IN (
                    '', 'tool_call', 'tools/call', 'resource_read', 'resources/read', 'prompt_get', 'prompts/get'
                )
        )
    SELECT
        {load_id:String},
        rowNumberInAllBlocks() + 1,
        servers.organization_id,
        placed.event_id,
        toDate(coalesce(placed.timestamp, toDateTime64(0, 6, 'UTC'))),
        multiIf(
            startsWith(placed.operation, 'resource'), 'resource_read',
            startsWith(placed.operation, 'prompt'), 'prompt_get',
            {event:String}
        ),
        coalesce(placed.timestamp, toDateTime64(0, 6, 'UTC')),
        placed.account_id,
        placed.account_id != '',
        placed.document['session_id'],
        toJSONString(CAST(
            (
                nullIf(placed.server_id, ''),
                nullIf(if(placed.document['server_slug'] != '', placed.document['server_slug'], servers.slug), ''),
                nullIf(placed.document['tool_name'], ''),
                CAST(toUInt8OrNull(placed.document['success']), 'Nullable(Bool)'),
                toInt64OrNull(placed.document['response_time_ms']),
                nullIf(placed.document['error_message'], ''),
                toInt64OrNull(placed.document['input_bytes']),
                toInt64OrNull(placed.document['output_bytes'])
            ),
            'Tuple(
                server_id Nullable(String), server_slug Nullable(String), tool_name Nullable(String),
                success Nullable(Bool), response_time_ms Nullable(Int64), error_message Nullable(String),
                input_bytes Nullable(Int64), output_bytes Nullable(Int64)
            )'
        )),
        {path:String},
        multiIf(
            placed.timestamp IS NULL, 'no timestamp',
            servers.organization_id = '', 'unknown server',
            placed.timestamp > now64(6, 'UTC') + INTERVAL 1 DAY, 'timestamp in the future',
            ''
        ) AS why_not,
        1,
        toJSONString(placed.document) AS text,
        {source:String}
    FROM placed
    LEFT JOIN servers ON placed.server_id = servers.id
    WHERE
        placed.event_id NOT IN (
            SELECT event_id
            FROM {raw:Identifier}.events
            WHERE
                load_id IN (
                    SELECT load_id
                    FROM {raw:Identifier}.loads FINAL
                    WHERE status = 'committed' AND `table` = 'events' AND path = {path:String}
                )
                AND event_date >= (SELECT toDate(min(timestamp)) FROM calls)
        )
        -- what is read again is not told again
        AND (
            why_not = ''
            OR text NOT IN (
                SELECT original
                FROM {raw:Identifier}.rejected_rows
                WHERE path = {path:String} AND load_id IN (SELECT load_id FROM standing)
            )
        )
"""


_COUNTS = """
    SELECT
        (
            SELECT count() FROM {raw:Identifier}.source_snapshot
            WHERE source = {source:String} AND `table` = {table:String}
        ),
        (SELECT count() FROM {raw:Identifier}.events WHERE load_id = {load_id:String}),
        (SELECT count() FROM {raw:Identifier}.rejected_rows WHERE load_id = {load_id:String})
"""


def write(
    client: Client, raw: str, load: Load, rows_load: Load, source: str, table: SourceTable
) -> tuple[int, int, int]:
    """Write the calls of the snapshot that are not known yet as rows of a load; those of no server are rejected.

    `rows_load` has what the same sync found of the servers. Returns the numbers of calls, events and rejected rows.
    """
    names = {
        "raw": raw,
        "source": source,
        "table": table.name,
        "event": table.event,
        "load_id": load.load_id,
        "rows_load": rows_load.load_id,
        "path": load.path,
    }
    client.command(
        _CALLS,
        parameters=names,
        settings={
            "output_format_json_skip_null_value_in_named_tuples": 1,
            "output_format_json_quote_64bit_integers": 0,
            "query_id": f"{raw}-load-{load.load_id}-{table.name}",
        },
    )
    seen, accepted, rejected = client.query(_COUNTS, parameters=names).first_row
    return int(seen), int(accepted), int(rejected)
