-- Each row of the source, parsed, and every field of it as text, by its first spelling that is present.
parsed AS
(
    SELECT
        line,
        text,
        problem,
        JSONExtractKeys(text) AS keys,
        JSONExtract(text, {outer_type:String}) AS outer_fields
    FROM $source
),
fields AS
(
    SELECT
        *,
        $fields
    FROM parsed
)
