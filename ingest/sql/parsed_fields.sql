-- Each row of the source, parsed, and every field of it as text, by its first path that is present.
$rows,
fields AS
(
    SELECT
        *,
        $fields
    FROM parsed
)
