-- A text as DateTime64(6, 'UTC'), NULL if it is no time: ISO 8601, or Unix time in seconds or milliseconds (from 1e11 on:
-- as seconds that would be the year 5138).
multiIf(
    match($text, {iso_time:String}), parseDateTime64BestEffortOrNull($text, 6, 'UTC'),
    match($text, {unix_time:String}), fromUnixTimestamp64Micro(
        toInt64(
            ifNull(toDecimal128OrNull($text, 6), toDecimal128(0, 6))
            * if(abs(ifNull(toDecimal128OrNull($text, 6), toDecimal128(0, 6))) >= 100000000000, 1000, 1000000)
        ),
        'UTC'
    ),
    NULL
)
