-- Rows of any file into raw.events, raw.rejected_rows and raw.lines, in one pass: the rules of the event contract.
-- $markers are filled by reading.py with column names and expressions, never with values.
INSERT INTO {raw:Identifier}.incoming_events
(
    load_id, line, tenant_id, event_id, event_date, event, event_type, timestamp, received_at, distinct_id, user_id,
    anonymous_id, previous_id, is_identified, session_id, device_id, current_url, host, pathname, referrer,
    referring_domain, utm_source, utm_medium, utm_campaign, utm_term, utm_content, click_ids, browser, os,
    device_type, user_agent, timezone, country, city, ip_address, revenue, currency, elements_chain, properties,
    attributes_set, attributes_set_once, $tail_columns
)
WITH
    $rows,
    -- every field as text, by its first path that is present
    fields AS
    (
        SELECT
            *,
            $properties AS properties_text,
            -- properties may come as text; white space around it means nothing
            trimBoth(properties_text, ' \t\r\n') AS own_properties,
            $fields
        FROM parsed
    ),
    -- what follows from the address of the page and of the page before it
    derived AS
    (
        SELECT
            *,
            multiIf(
                host_text != '' OR current_url_text = '', host_text,
                domain(current_url_text) != '', lower(domain(current_url_text)),
                lower(extract(current_url_text, {host_of_url:String}))
            ) AS host_found,
            multiIf(
                pathname_text != '' OR current_url_text = '', pathname_text,
                path(current_url_text) != '', toValidUTF8(decodeURLComponent(path(current_url_text))),
                host_found != '', '/',
                ''
            ) AS pathname_found,
            if(position(current_url_text, 'utm_') > 0, current_url_text, '') AS utm_url,
            $utms,
            if(
                multiMatchAny(readable, [{click_id_words:String}]),
                mapFilter(
                    (name, value) -> value != '', mapFromArrays({click_id_names:Array(String)}, [$click_id_values])
                ),
                map()
            ) AS click_ids_found,
            multiIf(referrer_text != '' AND match(lower(referrer_text), {no_referrer:String}), '', referrer_text)
                AS referrer_found,
            multiIf(
                referring_domain_text != '' AND NOT match(lower(referring_domain_text), {no_referrer:String}),
                    referring_domain_text,
                referrer_found = '', '',
                domain(referrer_found) != '', lower(domain(referrer_found)),
                lower(extract(referrer_found, {host_of_url:String}))
            ) AS referring_domain_found
        FROM fields
    ),
    typed AS
    (
        SELECT
            *,
            $moment_of_timestamp AS happened_at,
            $moment_of_received_at AS arrived_at,
            $amount AS revenue_amount,
            lower(is_identified_text) AS identified_word,
            multiIf(
                distinct_id_text != '', distinct_id_text,
                user_id_text != '', user_id_text,
                anonymous_id_text != '', anonymous_id_text,
                device_id_text != '', device_id_text,
                session_id_text
            ) AS id,
            -- whose session a session id belongs to that only one visitor's sessions differ by
            multiIf(
                device_id_text != '', device_id_text,
                anonymous_id_text != '', anonymous_id_text,
                distinct_id_text != '', distinct_id_text,
                user_id_text
            ) AS visitor,
            if(
                session_id_text != '' AND visitor != '' AND $is_per_visitor,
                concat(visitor, ':', session_id_text),
                session_id_text
            ) AS session_id_found,
            arrayExists(name -> name NOT IN {known:Array(String)}, keys) AS has_unknown_fields,
            revenue_text != '' AND isNull(revenue_amount) AS is_amount_unreadable,
            received_at_text != '' AND isNull(arrived_at) AS is_time_unreadable,
            -- fields whose text means nothing; it is kept inside the properties
            arrayFilter(
                field -> field != '',
                [
                    if(is_amount_unreadable, 'revenue', ''),
                    if(is_time_unreadable, 'received_at', ''),
                    if(identified_word NOT IN ('', 'true', 'false', '1', '0'), 'is_identified', '')
                ]
            ) AS unreadable_fields
        FROM derived
    ),
    judged AS
    (
        SELECT
            *,
            multiIf(
                $unreadable,
                tenant_id_text = '', 'no tenant',
                event_text = '', 'no event name',
                timestamp_text = '', 'no timestamp',
                isNull(happened_at), 'unreadable timestamp',
                happened_at < toDateTime64('2000-01-01 00:00:00', 6, 'UTC'), 'timestamp before 2000-01-01',
                -- a clock that is ahead is ahead in both times: nothing is received after now
                happened_at > addHours({now:DateTime64(6, 'UTC')}, 24), 'timestamp more than 24 hours after now',
                isNotNull(arrived_at) AND happened_at > addHours(arrived_at, 24),
                    'timestamp more than 24 hours after received_at',
                own_properties != '' AND NOT (startsWith(own_properties, '{') AND isValidJSON(own_properties)),
                    'properties is not a JSON object',
                ''
            ) AS reason,
            $spare_count + notEmpty(unreadable_fields) AS spare_fields
        FROM typed
    ),
    -- Nothing is lost: what no column holds is kept inside the properties. Few rows have any of it: for all others
    -- each step below is given nothing to look at.
    with_pairs AS
    (
        SELECT *, JSONExtractKeysAndValuesRaw(if(spare_fields + has_unknown_fields > 0, readable, '')) AS pairs
        FROM judged
    ),
    -- known_fields[i] is the field that known[i] spells, the better spellings of a field come first in known; so
    -- a known name is beaten if another name of its field with a value stands before it
    with_spare_pairs AS
    (
        SELECT *, if(spare_fields > 0, pairs, []) AS spare_pairs
        FROM with_pairs
    ),
    with_ranks AS
    (
        SELECT
            *,
            arrayMap(
                pair -> if(pair.2 IN ('null', '""'), 0, indexOf({known:Array(String)}, pair.1)), spare_pairs
            ) AS ranks
        FROM with_spare_pairs
    ),
    with_more AS
    (
        SELECT
            *,
            arrayConcat(
                if(has_unknown_fields, arrayFilter(pair -> pair.1 NOT IN {known:Array(String)}, pairs), []),
                arrayFilter(
                    (pair, rank) -> rank > 0
                    AND (
                        has(unreadable_fields, {known_fields:Array(String)}[rank])
                        OR arrayExists(
                            better -> better BETWEEN 1 AND rank - 1
                            AND {known_fields:Array(String)}[better] = {known_fields:Array(String)}[rank],
                            ranks
                        )
                    ),
                    spare_pairs,
                    ranks
                )
            ) AS more
        FROM with_ranks
    ),
    with_present AS
    (
        SELECT *, JSONExtractKeys(if(notEmpty(more), own_properties, '')) AS present
        FROM with_more
    ),
    -- what the properties say as well, word for word, is not said twice
    with_clashes AS
    (
        SELECT
            *,
            JSONExtractKeysAndValuesRaw(if(hasAny(present, more.1), own_properties, '')) AS clashes
        FROM with_present
    ),
    with_added AS
    (
        SELECT *, if(notEmpty(clashes), arrayFilter(pair -> NOT has(clashes, pair), more), more) AS added
        FROM with_clashes
    ),
    merged AS
    (
        SELECT
            *,
            multiIf(
                notEmpty(added), concat(
                    if(empty(present), '{', concat(substring(own_properties, 1, length(own_properties) - 1), ',')),
                    arrayStringConcat(
                        arrayMap(
                            pair -> concat(
                                toJSONString(concat(if(has(present, pair.1), '$$top_level_', ''), pair.1)),
                                ':',
                                pair.2
                            ),
                            added
                        ),
                        ','
                    ),
                    '}'
                ),
                own_properties = '', '{}',
                own_properties
            ) AS all_properties
        FROM with_added
    )
SELECT
    {load_id:String},
    line,
    tenant_id_text,
    -- the hash of the row: no contract ever changes it
    multiIf(
        event_id_text != '', event_id_text,
        element_number = 1, lower(hex(sipHash128(if(event_id_text = '', text, '')))),
        lower(hex(sipHash128(text, element_number)))
    ),
    toDate(assumeNotNull(happened_at)),
    event_text,
    event_type_text,
    assumeNotNull(happened_at),
    arrived_at,
    id,
    user_id_text,
    anonymous_id_text,
    previous_id_text,
    identified_word IN ('true', '1') OR (distinct_id_text = '' AND user_id_text != ''),
    session_id_found,
    device_id_text,
    current_url_text,
    host_found,
    pathname_found,
    referrer_found,
    referring_domain_found,
    utm_source_found,
    utm_medium_found,
    utm_campaign_found,
    utm_term_found,
    utm_content_found,
    click_ids_found,
    browser_text,
    os_text,
    device_type_text,
    user_agent_text,
    timezone_text,
    country_text,
    city_text,
    ip_address_text,
    revenue_amount,
    currency_text,
    elements_chain_text,
    all_properties,
    $attributes_set,
    $attributes_set_once,
    $tail
FROM merged
