-- A list of keys (or names) and values as the pairs of an object, values in JSON.
arrayMap(
    pair -> (
        if(pair.1 = '', pair.2, pair.1),
        if(
            startsWith(pair.3, '{'),
            arrayMap(
                typed -> multiIf(
                    typed.1 != '', toJSONString(typed.1),
                    typed.2 != '', typed.2,
                    typed.3 != '', typed.3,
                    typed.4 != '', typed.4,
                    'null'
                ),
                [JSONExtract(pair.3, 'Tuple(string_value String, int_value String, float_value String, double_value String)')]
            )[1],
            toJSONString(pair.3)
        )
    ),
    JSONExtract($text, 'Array(Tuple(key String, name String, value String))')
)
