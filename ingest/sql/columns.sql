-- CSV and Parquet come as Arrow columns and become the JSON line that would say the same.
(
    SELECT
        line,
        problem,
        if(problem != '', given, concat('{', arrayStringConcat(arrayFilter(m -> m != '', [$members]), ','), '}')) AS text
    FROM input('line UInt64, problem String, given String, $columns')
)
