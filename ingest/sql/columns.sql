-- CSV and Parquet come as Arrow columns and become the JSON line that would say the same. A row without any value
-- is a blank line.
(
    WITH {names:Array(String)} AS names
    SELECT line, problem, text
    FROM
    (
        SELECT
            line,
            problem,
            if(
                problem != '',
                given,
                concat('{', arrayStringConcat(arrayFilter(m -> m != '', [$members]), ','), '}')
            ) AS text
        FROM input('line UInt64, problem String, given String, $columns')
    )
    WHERE text != '{}'
)
