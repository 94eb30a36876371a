-- The properties that may be shown, as they are.
concat(
    '{',
    arrayStringConcat(
        arrayMap(
            pair -> concat(toJSONString(pair.1), ':', pair.2),
            arrayFilter(pair -> pair.1 in {shown_properties:Array(String)}, JSONExtractKeysAndValuesRaw($column))
        ),
        ','
    ),
    '}'
)
