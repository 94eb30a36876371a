-- Rows of any file into raw.identity_mappings and raw.rejected_rows, in one pass.
INSERT INTO {raw:Identifier}.incoming_identity_mappings
(
    load_id, line, tenant_id, anonymous_id, user_id, kind, first_seen_at, created_at,
    is_deleted, $tail_columns
)
WITH
    $parsed_fields,
    typed AS
    (
        SELECT
            *,
            $moment_of_first_seen_at AS first_seen,
            $moment_of_created_at AS created,
            lower(is_deleted_text) AS deleted_word,
            if(kind_text = '', 'link', lower(kind_text)) AS kind_found
        FROM fields
    ),
    judged AS
    (
        SELECT
            *,
            multiIf(
                $unreadable,
                anonymous_id_text = '', 'no anonymous_id',
                user_id_text = '', 'no user_id',
                kind_found NOT IN ('link', 'merge'), 'kind is neither link nor merge',
                first_seen_at_text != '' AND isNull(first_seen), 'unreadable first_seen',
                created_at_text != '' AND isNull(created), 'unreadable created_at',
                deleted_word NOT IN ('', '0', '1', 'true', 'false'), 'is_deleted is neither true nor false',
                ''
            ) AS reason
        FROM typed
    )
SELECT
    {load_id:String},
    line,
    tenant_id_text,
    anonymous_id_text,
    user_id_text,
    kind_found,
    first_seen,
    created,
    deleted_word IN ('1', 'true'),
    $tail
FROM judged
