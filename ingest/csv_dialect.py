"""How the columns of a text file are separated and quoted: its first lines say."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

# A tab takes precedence: hardly a name or a text holds one, while the JSON in a tracker's TSV is full of commas.
SEPARATORS = ("\t", ",", ";", "|")
# So many rows tell how a file is separated.
_ROWS = 20
# Of rows in a table at least so many have as many cells as the first.
_AGREEMENT = 0.8
# What Excel writes, and reads, before the header: `sep=;`
_SEP = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)
_QUOTED = re.compile(r'(?:^|(?<=[\t\n]))"(?:[^"]|"")*"(?=\t|\r?\n|$)')
_BEGINS_WITH_QUOTE = re.compile(r'(?:^|[\t\n])"')


@dataclass(frozen=True)
class Dialect:
    """`is_quoted`: quotes around a cell are no part of it. `preamble`: lines before the header. `is_table`: there
    are rows that agree on a number of columns, two or more.
    """

    separator: str = ","
    is_quoted: bool = True
    preamble: int = 0
    is_table: bool = False

    def rows(self, text: str) -> Iterator[list[str]]:
        """The rows of a text, from the header on, as lists of cells. Raises csv.Error."""
        lines = io.StringIO(text, newline="")
        for _ in range(self.preamble):
            lines.readline()
        if not self.is_quoted:
            return csv.reader(lines, delimiter=self.separator, quoting=csv.QUOTE_NONE)
        return csv.reader(lines, delimiter=self.separator)


def dialect_of(head: bytes) -> Dialect:
    """The dialect of a file that begins so.

    Quotes mean what they mean in CSV, but in files separated by tabs only if there are cells in quotes and all that
    begin with one are well-formed: trackers write TSV without quoting, and a quote there is a character.
    """
    text = head.removeprefix(codecs.BOM_UTF8).decode("utf-8", errors="replace")
    if found := _SEP.match(text):
        separator, preamble = found[1], 1
        return Dialect(separator, _is_quoted(separator, text), preamble, is_table=True)
    is_table, _, width, separator = max(_score(separator, text) for separator in SEPARATORS)
    return Dialect(separator, _is_quoted(separator, text), is_table=is_table) if width > 1 else Dialect()


def _score(separator: str, text: str) -> tuple[bool, bool, int, str]:
    """How likely a separator is: whether the first rows agree on a number of cells, two or more; whether it is a tab;
    and how many cells the very first row has.
    """
    widths = []
    with suppress(csv.Error):  # a cell that is too long for this look
        for row in islice(Dialect(separator, _is_quoted(separator, text)).rows(text), _ROWS):
            widths.append(len(row))
    first, *others = [width for width in widths if width] or [1]
    if first < 2:
        return False, False, 1, separator
    # in one line a comma may be anything
    is_table = others.count(first) >= _AGREEMENT * len(others) if others else separator == "\t"
    return is_table, separator == "\t", first, separator


def _is_quoted(separator: str, text: str) -> bool:
    if separator != "\t":
        return True
    rest, quoted = _QUOTED.subn("", text)
    return quoted > 0 and not _BEGINS_WITH_QUOTE.search(rest.rpartition("\n")[0] or rest)
