"""Texts that mean a time or an amount, as expressions of SQL. What they accept is told in docs/event-contract.md."""

# ISO 8601 with or without zone, a space instead of the T, down to a date alone; impossible times of day are no match.
ISO_TIME = (
    "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    "([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,9})?)? ?(Z|UTC|GMT|[+-][0-9]{2}(:?[0-9]{2})?)?)?$"
)
# Unix time; 19 digits before the point are nanoseconds until the year 2286.
UNIX_TIME = "^-?[0-9]{1,19}([.][0-9]*)?$"

# How many microseconds a unit of Unix time has; without a unit its size tells: seconds below 1e11 (the year 5138),
# milliseconds below 1e14, microseconds below 1e17, else nanoseconds.
_MICROSECONDS = {"s": "{v} * 1000000", "ms": "{v} * 1000", "us": "{v}", "ns": "{v} / 1000"}
_BY_SIZE = (("100000000000", "s"), ("100000000000000", "ms"), ("100000000000000000", "us"))

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

# Other common ways to write a time, and what they are in ISO 8601; one after another, on text in upper case.
_TIDIED = (
    ("a [Zone] behind the offset says nothing more", r"(Z|[+-][0-9]{2}:?[0-9]{2})\[[^\]]*\]$", r"\1"),
    ("a zone that is UTC", r"\[(ETC/)?(UTC|GMT)\]$", "Z"),
    ("the time of an e-mail", r"^(?:[A-Z]{3}, *)?([0-9]{1,2}) (@) ([0-9]{4}) ", r"\3-\2-\1T"),
    ("no separators", r"^([0-9]{4})([0-9]{2})([0-9]{2})([T ][0-9]|$)", r"\1-\2-\3\4"),
    ("no separators in the time", r"^([0-9-]{10}[T ])([0-9]{2})([0-9]{2})([0-9]{2})?([^0-9:]|$)", r"\1\2:\3:\4\5"),
    ("no seconds", r"(:[0-9]{2}):([^0-9]|$)", r"\1\2"),
    ("slashes", r"^([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})", r"\1-\2-\3"),
    ("one digit of a month", r"^([0-9]{4})-([0-9])-", r"\1-0\2-"),
    ("one digit of a day", r"^([0-9]{4}-[0-9]{2})-([0-9])([^0-9]|$)", r"\1-0\2\3"),
    ("one digit of an hour", r"([T ])([0-9]):", r"\10\2:"),
    ("a comma before fractions", r"(:[0-9]{2}),([0-9])", r"\1.\2"),
    ("more digits than a nanosecond has", r"([.][0-9]{9})[0-9]+", r"\1"),
)

# 24:00 is the first moment of the next day.
_NEXT_DAY, _MIDNIGHT = r"([T ])24:00(:00)?([.]0+)?", r"\100:00\2"

# What is no part of a number: a currency before or behind it.
_CURRENCY = (r"^\s*([+-]?)\s*(?:[A-Za-z]{3}|[A-Z]{0,2}\p{Sc})?\s*([+-]?)(.*?)\s*(?:[A-Za-z]{3}|\p{Sc})?\s*$", r"\1\2\3")
_THOUSANDS = r"^[+-]?[0-9]{1,3}(,[0-9]{3})+([.][0-9]*)?$"
_NUMBER = r"^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]{1,2})?$"


def moment(text: str, unit: str = "", *, is_local: bool = False) -> str:
    """A text as `Nullable(DateTime64(6, 'UTC'))`, NULL if it is no time.

    Local times are of the zone in the parameter `timezone`; with `is_local` Unix times count those too. The parameters
    iso_time and unix_time are patterns.
    """
    tidied = "upper(trimBoth(other, ' \\t\\r\\n\"'))"
    for number, month in enumerate(_MONTHS, start=1):
        tidied = f"replaceOne({tidied}, ' {month} ', ' {number:02} ')"
    for _, pattern, replacement in _TIDIED:
        tidied = _replaced(tidied, pattern.replace("(@)", "([0-9]{2})"), replacement)
    # a leap second comes after the second before it, and 24:00 is the next day's first moment
    plain = f"replaceOne({_replaced('tidied', _NEXT_DAY, _MIDNIGHT)}, '59:60', '59:59')"
    later = "multiIf(match(tidied, '[T ]24:00'), 86400, position(tidied, '59:60') > 0, 1, 0)"
    # Other ways to write a time are rare and take long: in a list that is empty for all other rows, for what is only
    # behind a condition, the server may work out for every row.
    return f"""multiIf(
        match({text}, {{iso_time:String}}), {_iso(text)},
        match({text}, {{unix_time:String}}), {_unix(text, unit, is_local=is_local)},
        arrayMap(
            other -> arrayMap(
                tidied -> multiIf(
                    match(tidied, {{unix_time:String}}), {_unix("tidied", unit, is_local=is_local)},
                    match({plain}, {{iso_time:String}}), addSeconds({_iso(plain)}, {later}),
                    NULL
                ),
                [{tidied}]
            )[1],
            if({text} = '' OR match({text}, {{iso_time:String}}) OR match({text}, {{unix_time:String}}), [], [{text}])
        )[1]
    )"""


def _iso(text: str) -> str:
    return f"toTimeZone(parseDateTime64BestEffortOrNull({text}, 6, {{timezone:String}}), 'UTC')"


def _unix(text: str, unit: str, *, is_local: bool) -> str:
    value = f"ifNull(toDecimal128OrNull({text}, 6), toDecimal128(0, 6))"
    if unit:
        micros = _MICROSECONDS[unit].format(v=value)
    else:
        sizes = "".join(f"abs({value}) < {size}, {_MICROSECONDS[of].format(v=value)}, " for size, of in _BY_SIZE)
        micros = f"multiIf({sizes}{_MICROSECONDS['ns'].format(v=value)})"
    moment = f"fromUnixTimestamp64Micro(toInt64(floor({micros})), 'UTC')"
    return _iso(f"toString({moment})") if is_local else moment


def amount(text: str) -> str:
    """A text as `Nullable(Decimal(38, 6))`, rounded half up (away from zero), NULL if it is no amount.

    The seventh digit alone decides the rounding, so what comes behind it may be cut.
    """
    tidied = _replaced("sent", *_CURRENCY)
    return f"""arrayMap(
        sent -> arrayMap(
            bare -> arrayMap(
                plain -> if(
                    match(plain, {_literal(_NUMBER)}),
                    accurateCastOrNull(round(toDecimal256OrNull(plain, 7), 6), 'Decimal(38, 6)'),
                    NULL
                ),
                [if(match(bare, {_literal(_THOUSANDS)}), replaceAll(bare, ',', ''), bare)]
            )[1],
            [{tidied}]
        )[1],
        if({text} = '', [], [{text}])
    )[1]"""


def _replaced(text: str, pattern: str, replacement: str) -> str:
    return f"replaceRegexpOne({text}, {_literal(pattern)}, {_literal(replacement)})"


def _literal(text: str) -> str:
    """Our own text in SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
