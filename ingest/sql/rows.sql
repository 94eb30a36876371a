-- Each row of the source as JSON that can be parsed, each event in it, and the documents that paths lead into.
source_rows AS
(
    SELECT line, problem, text, JSONExtractKeys(text) AS own_keys
    FROM $source
),
readable_rows AS
(
    SELECT
        *,
        -- A parser that finds no names has refused the text, or there are none. Asked for in a list that is empty for
        -- all other rows: what is only behind a condition, the server may work out for every row.
        arrayConcat(
            arrayMap(
                refused -> if(isValidJSON(refused), refused, $repaired),
                if(empty(own_keys) AND problem = '', [text], [])
            ),
            [text]
        )[1] AS readable,
        if(empty(own_keys), JSONExtractKeys(readable), own_keys) AS keys
    FROM source_rows
),
elements AS
(
    SELECT
        *,
        $elements
    FROM readable_rows
),
parsed AS
(
    SELECT
        *,
        $documents
        $is_left AS is_left,
        if(is_left, $left, $tracker) AS tracker,
        $mapped AS mapped
    FROM elements
)
