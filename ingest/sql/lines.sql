-- NDJSON: every line is a row, blank ones aside.
(
    SELECT line, '' AS problem, text
    FROM
    (
        SELECT {lines_before:UInt64} + rowNumberInAllBlocks() + 1 AS line, text
        FROM input('text String')
    )
    WHERE length(text) > 100 OR trimBoth(if(length(text) > 100, '', text), ' \t\r\n') != ''
)
