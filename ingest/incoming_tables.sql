-- Loads write to the incoming table of a raw table; nothing stays there. Its views send each row on: to the raw table
-- if nothing speaks against it, else to the rejected rows, and its text to the lines. So one pass over a file is enough,
-- and any number of loads can write at a time.

CREATE TABLE IF NOT EXISTS {raw:Identifier}.{incoming:Identifier}
ENGINE = Null
AS SELECT
    *,
    '' AS path,
    '' AS reason,
    toUInt8(0) AS is_read,
    '' AS text,
    '' AS problem,
    toUInt8(0) AS is_line,
    '' AS read_by,
    '' AS tracker,
    toUInt64(0) AS mapped,
    toUInt8(0) AS is_of_nobody,
    toUInt8(0) AS unreadable_amounts,
    toUInt8(0) AS unreadable_times
FROM {raw:Identifier}.{table:Identifier} WHERE 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS {raw:Identifier}.{accepted:Identifier}
TO {raw:Identifier}.{table:Identifier}
AS SELECT
    * EXCEPT (
        path, reason, is_read, text, problem, is_line, read_by, tracker, mapped, is_of_nobody, unreadable_amounts,
        unreadable_times
    )
FROM {raw:Identifier}.{incoming:Identifier}
WHERE is_read AND reason = '';

CREATE MATERIALIZED VIEW IF NOT EXISTS {raw:Identifier}.{rejected:Identifier}
TO {raw:Identifier}.rejected_rows
AS SELECT load_id, path, line, reason, text AS original
FROM {raw:Identifier}.{incoming:Identifier}
WHERE is_read AND reason != '';

CREATE MATERIALIZED VIEW IF NOT EXISTS {raw:Identifier}.{lines:Identifier}
TO {raw:Identifier}.lines
AS SELECT load_id, line, text, problem
FROM {raw:Identifier}.{incoming:Identifier}
WHERE is_line;

CREATE MATERIALIZED VIEW IF NOT EXISTS {raw:Identifier}.{counts:Identifier}
TO {raw:Identifier}.load_counts
AS SELECT
    load_id,
    tenant_id,
    if(is_read, read_by, tracker) AS tracker,
    is_read,
    reason = '' AS is_accepted,
    is_of_nobody,
    unreadable_amounts,
    unreadable_times,
    mapped,
    count() AS `rows`
FROM {raw:Identifier}.{incoming:Identifier}
GROUP BY ALL;
