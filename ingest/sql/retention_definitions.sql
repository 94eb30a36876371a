-- Rows of any file into raw.retention_definitions and raw.rejected_rows, in one pass.
INSERT INTO {raw:Identifier}.incoming_retention_definitions
(
    load_id, line, tenant_id, retention_id, name, target_event, target_filter, return_event,
    return_filter, kind, period, is_deleted, $tail_columns
)
WITH
    $parsed_fields,
    typed AS
    (
        SELECT
            *,
            if(kind_text = '', 'first_time', lower(kind_text)) AS kind_found,
            if(period_text = '', 'day', lower(period_text)) AS period_found,
            lower(is_deleted_text) AS deleted_word
        FROM fields
    ),
    judged AS
    (
        SELECT
            *,
            multiIf(
                $unreadable,
                retention_id_text = '', 'no retention_id',
                kind_found NOT IN ('first_time', 'recurring'), 'kind is neither first_time nor recurring',
                period_found NOT IN ('day', 'week', 'month'), 'period is none of day, week, month',
                target_filter_text != ''
                AND NOT (startsWith(target_filter_text, '{') AND isValidJSON(target_filter_text)),
                    'target_filter is not a JSON object',
                return_filter_text != ''
                AND NOT (startsWith(return_filter_text, '{') AND isValidJSON(return_filter_text)),
                    'return_filter is not a JSON object',
                deleted_word NOT IN ('', '0', '1', 'true', 'false'), 'is_deleted is neither true nor false',
                ''
            ) AS reason
        FROM typed
    )
SELECT
    {load_id:String},
    line,
    tenant_id_text,
    retention_id_text,
    if(name_text = '', retention_id_text, name_text),
    target_event_text,
    target_filter_text,
    return_event_text,
    return_filter_text,
    kind_found,
    period_found,
    deleted_word IN ('1', 'true'),
    $tail
FROM judged
