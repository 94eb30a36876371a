-- Pairs of a name and its value as one JSON object, the first of each name; '' without any.
arrayMap(
    members -> if(
        empty(members),
        '',
        concat(
            '{',
            arrayStringConcat(
                arrayMap(
                    member -> concat(toJSONString(member.1), ':', member.2),
                    arrayFilter(
                        (member, place) -> indexOf(members.1, member.1) = place, members, arrayEnumerate(members)
                    )
                ),
                ','
            ),
            '}'
        )
    ),
    [$members]
)[1]
