"""Calls of tools and connections to servers become events of the tenant whose server it was.

Which server an event is of, and so which tenant, is found out once, while it is loaded, and stays: a server that is
renamed or moved, or a slug that somebody else takes later, takes no event with it. So one that is known is not read
again.
"""

from clickhouse_connect.driver.client import Client

from ingest.ledger import Load
from ingest.sources.contract import SourceTable

# A server of a slug is the one that has it, if it was there when it was called, else the last that had it.
_EVENTS = """
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
        found AS
        (
            SELECT
                concat({prefix:String}, replaceAll(key, '\\x1f', ':')) AS event_id,
                document,
                parseDateTime64BestEffortOrNull(
                    multiIf(
                        document['started_at'] != '', document['started_at'],
                        document['connected_at'] != '', document['connected_at'],
                        document['created_at']
                    ),
                    6,
                    'UTC'
                ) AS timestamp,
                if(document['account_id'] IN ('anonymous', 'unknown'), '', document['account_id']) AS account_id,
                document['operation'] AS operation
            FROM {raw:Identifier}.source_snapshot
            WHERE
                source = {source:String}
                AND `table` = {table:String}
                -- of a table that is read whole: those whose row is new or otherwise, unless all are asked for
                AND (
                    {is_whole:Bool}
                    OR key IN (
                        SELECT key
                        FROM {raw:Identifier}.source_rows
                        WHERE source = {source:String} AND `table` = {table:String} AND load_id = {rows_load:String}
                    )
                )
        ),
        placed AS
        (
            SELECT
                found.*,
                multiIf(
                    found.document['server_id'] != '', found.document['server_id'],
                    present.server.1 != '' AND present.server.2 <= found.timestamp, present.server.1,
                    earlier.id
                ) AS server_id
            FROM found
            LEFT JOIN present_slugs AS present ON found.document['server_slug'] = present.slug
            LEFT JOIN earlier_slugs AS earlier ON found.document['server_slug'] = earlier.slug
            WHERE
                found.operation IN (
                    '', 'tool_call', 'tools/call', 'resource_read', 'resources/read', 'prompt_get', 'prompts/get'
                )
        )
    SELECT
        {load_id:String},
        {rows_before:UInt64} + rowNumberInAllBlocks() + 1,
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
                toInt64OrNull(placed.document['output_bytes']),
                nullIf(placed.document['connection_id'], ''),
                nullIf(placed.document['oauth_provider'], '')
            ),
            'Tuple(
                server_id Nullable(String), server_slug Nullable(String), tool_name Nullable(String),
                success Nullable(Bool), response_time_ms Nullable(Int64), error_message Nullable(String),
                input_bytes Nullable(Int64), output_bytes Nullable(Int64), connection_id Nullable(String),
                provider Nullable(String)
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
                AND event_date >= (SELECT toDate(min(timestamp)) FROM found)
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

# How many rows of a load there are so far: accepted, rejected.
_WRITTEN = """
    SELECT
        (SELECT count() FROM {raw:Identifier}.events WHERE load_id = {load_id:String}),
        (SELECT count() FROM {raw:Identifier}.rejected_rows WHERE load_id = {load_id:String})
"""


def write(
    client: Client, raw: str, load: Load, rows_load: Load, source: str, table: SourceTable, *, full: bool = False
) -> tuple[int, int]:
    """Write what the snapshot has of a table of events, and is not known yet, as rows of a load; those of no server are
    rejected.

    `rows_load` has what the same sync found of the servers, and of the table itself if that is read whole; with `full`
    all of its rows are looked at again, not only those. Returns the numbers of new events and of rejected rows.
    """
    names = {
        "raw": raw,
        "source": source,
        "table": table.name,
        "event": table.event,
        # rows of two tables may have the same id
        "prefix": f"{table.name}:" if table.mode == "snapshot" else "",
        "is_whole": full or table.mode == "append",
        "load_id": load.load_id,
        "rows_load": rows_load.load_id,
        "path": load.path,
    }
    accepted, rejected = client.query(_WRITTEN, parameters=names).first_row
    client.command(
        _EVENTS,
        parameters=names | {"rows_before": accepted + rejected},
        settings={
            "output_format_json_skip_null_value_in_named_tuples": 1,
            "output_format_json_quote_64bit_integers": 0,
            "query_id": f"{raw}-load-{load.load_id}-{table.name}",
        },
    )
    accepted_now, rejected_now = client.query(_WRITTEN, parameters=names).first_row
    return int(accepted_now - accepted), int(rejected_now - rejected)
