-- Rows of any file into raw.funnel_steps and raw.rejected_rows, in one pass. A step without an event is any event; a
-- row that says the funnel is deleted is no step.
INSERT INTO {raw:Identifier}.incoming_funnel_steps
(
    load_id, line, tenant_id, funnel_id, name, step_number, step_name, event, event_filter,
    window_seconds, mode, is_deleted, $tail_columns
)
WITH
    $parsed_fields,
    typed AS
    (
        SELECT
            *,
            toUInt16OrNull(step_number_text) AS step,
            if(window_seconds_text = '', 1209600, toUInt32OrNull(window_seconds_text)) AS window_length,
            if(mode_text = '', 'ordered', lower(mode_text)) AS mode_found,
            lower(is_deleted_text) AS deleted_word,
            deleted_word IN ('1', 'true') AS deleted
        FROM fields
    ),
    judged AS
    (
        SELECT
            *,
            multiIf(
                $unreadable,
                funnel_id_text = '', 'no funnel_id',
                deleted_word NOT IN ('', '0', '1', 'true', 'false'), 'is_deleted is neither true nor false',
                -- asked before the numbers are: a number too large for its column would come out as a small one
                ifNull(toFloat64OrNull(step_number_text), 0) > 65535, 'step_number is more than 65535',
                NOT deleted AND ifNull(step, 0) < 1, 'step_number is not a whole number from 1 on',
                ifNull(toFloat64OrNull(window_seconds_text), 0) > 4294967295,
                    'window_seconds is more than 4294967295, which is 136 years',
                ifNull(window_length, 0) < 1, 'window_seconds is not a whole number from 1 on',
                mode_found NOT IN ('ordered', 'strict', 'unordered'), 'mode is none of ordered, strict, unordered',
                event_filter_text != '' AND NOT (startsWith(event_filter_text, '{') AND isValidJSON(event_filter_text)),
                    'event_filter is not a JSON object',
                ''
            ) AS reason
        FROM typed
    )
SELECT
    {load_id:String},
    line,
    tenant_id_text,
    funnel_id_text,
    if(name_text = '', funnel_id_text, name_text),
    ifNull(step, 0),
    multiIf(step_name_text != '', step_name_text, event_text != '', event_text, 'any event'),
    event_text,
    event_filter_text,
    ifNull(window_length, 0),
    mode_found,
    deleted,
    $tail
FROM judged
