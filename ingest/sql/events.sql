-- Rows of any file into raw.events and raw.rejected_rows, in one pass: the rules of the event contract.
-- $markers are filled by sql_text.py with column names and expressions, never with values.
INSERT INTO {raw:Identifier}.incoming_events
(
    load_id, path, line, reason, original, tenant_id, event_id, event_date, event, event_type, timestamp, received_at,
    distinct_id, user_id, anonymous_id, is_identified, session_id, device_id, current_url, host, pathname, referrer,
    referring_domain, utm_source, utm_medium, utm_campaign, utm_term, utm_content, click_ids, browser, os,
    device_type, user_agent, timezone, country, city, ip_address, revenue, currency, elements_chain, properties,
    content_hash
)
WITH
    parsed AS
    (
        SELECT
            line,
            text,
            problem,
            JSONExtractKeys(text) AS keys,
            JSONExtract(text, {outer_type:String}) AS outer_fields,
            $properties AS properties_text,
            -- properties may come as text; white space around it means nothing
            if(startsWith(properties_text, '{'), properties_text, trimBoth(properties_text, ' \t\r\n')) AS own_properties,
            JSONExtract(own_properties, {inner_type:String}) AS inner_fields
        FROM $source
    ),
    -- every field as text, by its first spelling that is present
    fields AS
    (
        SELECT
            *,
            $fields,
            $click_ids_length > 0 AS has_click_ids,
            if(
                has_click_ids,
                mapFilter((name, value) -> value != '', mapFromArrays([$click_id_names], [$click_id_values])),
                map()
            ) AS click_ids_found
        FROM parsed
    ),
    typed AS
    (
        SELECT
            *,
            $moment_of_timestamp AS happened_at,
            $moment_of_received_at AS arrived_at,
            toDecimal64OrNull(revenue_text, 6) AS revenue_amount,
            lower(is_identified_text) AS identified_word,
            if(distinct_id_text != '', distinct_id_text, if(user_id_text != '', user_id_text, anonymous_id_text)) AS id,
            arrayExists(name -> name NOT IN {known:Array(String)}, keys) AS has_unknown_fields,
            -- fields whose text means nothing; it is kept inside the properties
            arrayFilter(
                field -> field != '',
                [
                    if(revenue_text != '' AND isNull(revenue_amount), 'revenue', ''),
                    if(received_at_text != '' AND isNull(arrived_at), 'received_at', ''),
                    if(identified_word NOT IN ('', 'true', 'false', '1', '0'), 'is_identified', '')
                ]
            ) AS unreadable_fields
        FROM fields
    ),
    judged AS
    (
        SELECT
            *,
            multiIf(
                $unreadable,
                tenant_id_text = '', 'no tenant',
                event_text = '', 'no event name',
                id = '', 'no distinct_id',
                timestamp_text = '', 'no timestamp',
                isNull(happened_at), 'unreadable timestamp',
                happened_at < toDateTime64('2000-01-01 00:00:00', 6, 'UTC'), 'timestamp before 2000-01-01',
                isNotNull(arrived_at) AND happened_at > addHours(arrived_at, 24),
                    'timestamp more than 24 hours after received_at',
                isNull(arrived_at) AND happened_at > addHours({now:DateTime64(6, 'UTC')}, 24),
                    'timestamp more than 24 hours after now',
                -- the last day that a Date can hold
                happened_at >= toDateTime64('2149-06-07 00:00:00', 6, 'UTC'), 'timestamp after 2149-06-06',
                own_properties != '' AND NOT (startsWith(own_properties, '{') AND isValidJSON(own_properties)),
                    'properties is not a JSON object',
                ''
            ) AS reason,
            $spare_count + notEmpty(unreadable_fields) AS spare_fields
        FROM typed
    ),
    -- Nothing is lost: what no column holds is kept inside the properties. Few rows have any of it, and each step
    -- below is computed for those alone.
    with_pairs AS
    (
        SELECT *, if(spare_fields + has_unknown_fields > 0, JSONExtractKeysAndValuesRaw(text), []) AS pairs
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
        SELECT *, if(notEmpty(more), JSONExtractKeys(own_properties), []) AS present
        FROM with_more
    ),
    -- what the properties say as well, word for word, is not said twice
    with_clashes AS
    (
        SELECT
            *,
            if(hasAny(present, more.1), JSONExtractKeysAndValuesRaw(own_properties), []) AS clashes
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
    ),
    hashed AS
    (
        SELECT
            *,
            if(referrer_text = '$$direct', '', referrer_text) AS referrer_found,
            if(referring_domain_text = '$$direct', '', referring_domain_text) AS referring_domain_found,
            identified_word IN ('true', '1') OR (distinct_id_text = '' AND user_id_text != '') AS is_identified_found,
            -- no argument may be NULL: one would make the whole hash NULL
            murmurHash3_128(
                tenant_id_text, event_id_text, event_text, event_type_text, assumeNotNull(happened_at), id, user_id_text,
                anonymous_id_text, is_identified_found, session_id_text, device_id_text, current_url_text, host_text,
                pathname_text, referrer_found, referring_domain_found, utm_source_text, utm_medium_text,
                utm_campaign_text, utm_term_text, utm_content_text, mapKeys(click_ids_found),
                mapValues(click_ids_found), browser_text, os_text, device_type_text, user_agent_text, timezone_text,
                country_text, city_text, ip_address_text, ifNull(toString(revenue_amount), ''),
                currency_text, elements_chain_text, all_properties
            ) AS hash
        FROM merged
    )
SELECT
    {load_id:String},
    {path:String},
    line,
    reason,
    if(reason = '', '', text),
    tenant_id_text,
    if(event_id_text = '', lower(hex(hash)), event_id_text),
    toDate(assumeNotNull(happened_at)),
    event_text,
    event_type_text,
    assumeNotNull(happened_at),
    assumeNotNull(coalesce(arrived_at, happened_at)),
    id,
    user_id_text,
    anonymous_id_text,
    is_identified_found,
    session_id_text,
    device_id_text,
    current_url_text,
    host_text,
    pathname_text,
    referrer_found,
    referring_domain_found,
    utm_source_text,
    utm_medium_text,
    utm_campaign_text,
    utm_term_text,
    utm_content_text,
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
    reinterpretAsUInt128(hash)
FROM hashed
