-- Loads write to the incoming table of a raw table; nothing stays there. Its two views send each row on: to the raw
-- table if nothing speaks against it, else to the rejected rows. So one pass over a file is enough, and any number
-- of loads can write at a time.

CREATE TABLE IF NOT EXISTS {raw:Identifier}.{incoming:Identifier}
ENGINE = Null
AS SELECT *, '' AS path, '' AS reason, '' AS original FROM {raw:Identifier}.{table:Identifier} WHERE 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS {raw:Identifier}.{accepted:Identifier}
TO {raw:Identifier}.{table:Identifier}
AS SELECT * EXCEPT (path, reason, original) FROM {raw:Identifier}.{incoming:Identifier} WHERE reason = '';

CREATE MATERIALIZED VIEW IF NOT EXISTS {raw:Identifier}.{rejected:Identifier}
TO {raw:Identifier}.rejected_rows
AS SELECT load_id, path, line, reason, original FROM {raw:Identifier}.{incoming:Identifier} WHERE reason != '';
