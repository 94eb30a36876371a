-- A text that no JSON parser takes, as the JSON that its sender meant: half of a surrogate pair as U+FFFD, and Python's
-- NaN and Infinity as null. Escaped backslashes and the halves that are a pair are hidden while the rest is replaced.
-- Control characters, which JSON does not allow as they are, mark what is hidden.
replaceAll(
    replaceAll(
        replaceAll(
            replaceRegexpAll(
                replaceRegexpAll(
                    replaceRegexpAll(
                        replaceRegexpAll(
                            replaceAll($text, '\\\\', '\x01'),
                            '\\\\u([dD][89abAB][0-9a-fA-F]{2})\\\\u([dD][c-fC-F][0-9a-fA-F]{2})', '\x02\\1\x02\\2'
                        ),
                        '\\\\u[dD][89a-fA-F][0-9a-fA-F]{2}', '\\\\ufffd'
                    ),
                    '\x02', '\\\\u'
                ),
                '("(?:[^"\\\\]|\\\\.)*")|-?\\b(?:NaN|Infinity)\\b', '\\1\x03'
            ),
            '"\x03', '"'
        ),
        '\x03', 'null'
    ),
    '\x01', '\\\\'
)
