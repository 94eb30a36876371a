-- A list of keys (or names) and values as a map; of a value that says its type, what it says.
arrayMap(
    found -> mapFromArrays(
        arrayMap(pair -> if(pair.1 = '', pair.2, pair.1), found),
        arrayMap(
            pair -> if(
                startsWith(pair.3, '{'),
                arrayFirst(
                    one -> one != '',
                    tupleToNameValuePairs(
                        JSONExtract(pair.3, 'Tuple(string_value String, int_value String, float_value String, double_value String)')
                    ).2
                ),
                pair.3
            ),
            found
        )
    ),
    [JSONExtract($text, 'Array(Tuple(key String, name String, value String))')]
)[1]
