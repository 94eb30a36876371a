"""CSV files as columns of text, each row with the line it begins in."""

import codecs
import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from ingest import arrow
from ingest.csv_dialect import Dialect, dialect_of
from ingest.file_problem import FileProblem
from ingest.unpacking import CHUNK, Readable, without_mark

# A row must fit into one block; a few blocks are in memory at a time.
_BLOCK = 32 << 20
# Bytes that are no UTF-8 pass through the CSV reader as characters of the private use area, from here on.
_FOREIGN = 0xF700


def header_of(head: bytes) -> list[str]:
    """The cells of the first row of a CSV file that begins so; one without a text is called after its place.

    Raises FileProblem if there is none to speak of.
    """
    text = head.removeprefix(codecs.BOM_UTF8).decode("utf-8", errors="replace")
    try:
        header: list[str] = next(dialect_of(head).rows(text), [])
    except csv.Error as error:
        raise FileProblem(f"its header is not readable as CSV ({error})") from None
    if not header:
        raise FileProblem("its first line is empty", "Put a header with the names of the columns there.")
    if any("\N{REPLACEMENT CHARACTER}" in name for name in header):
        raise FileProblem("its header is not UTF-8 text", "Save the file as UTF-8.")
    return [name.strip() or f"column_{i}" for i, name in enumerate(header, start=1)]


def columns_of(parts: Iterable[bytes], head: bytes, names: list[str], *, has_header: bool = True) -> arrow.Columns:
    """A CSV file that begins with `head` as columns of text, called `names`; without a header its first row is data.

    Rows with too many or too few cells, or that are not UTF-8, carry their problem and their text; `line` is the line
    of the file that a row begins in, whatever line breaks its cells hold. Raises FileProblem for a name given twice.
    """
    arrow.check_names(names)
    rows = _CsvRows(parts, dialect_of(head), len(names), has_header=has_header)
    return arrow.Columns(names, ["String"] * len(names), arrow.stream(rows.batches()))


class _CsvRows:
    """The rows of one CSV file. pyarrow parses it; here is kept what it says of the rows it could not read."""

    def __init__(self, parts: Iterable[bytes], dialect: Dialect, width: int, *, has_header: bool) -> None:
        self._dialect = dialect
        self._width = width
        self._has_header = has_header
        self._text = _Utf8(without_mark(parts))
        # Rows with a wrong number of cells, by their number in the file: the problem and the text.
        self._wrong: dict[int, tuple[str, str]] = {}
        # The next row's number and line; the header is row 1 and line 1, but for what comes before it.
        self._row = self._line = 1 + has_header + dialect.preamble

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Batches of good rows, each followed by one of the wrong rows among them, if there are any."""
        yield arrow.batch([], [], [], [pa.array([], pa.binary())] * self._width)  # there may be no row at all
        try:
            for batch in self._reader():
                if batch.num_rows:
                    yield from self._with_lines(batch)
        except pa.ArrowException as error:
            if "Empty CSV file" not in str(error):
                raise FileProblem(f"the file is not readable as CSV ({error})") from None
        if self._wrong:
            _, wrong = self._take_lines(max(self._wrong), [], np.array([], np.int64))
            yield wrong

    def _reader(self) -> Any:
        names = [f"c{i}" for i in range(self._width)]
        # Bytes, not text, so that nothing is converted; no blank line is left out, so that rows can be counted.
        return pa_csv.open_csv(
            io.BufferedReader(Readable(self._text.parts()), CHUNK),  # pyarrow wants each block whole
            read_options=pa_csv.ReadOptions(
                use_threads=False,
                block_size=_BLOCK,
                column_names=names,
                skip_rows=self._dialect.preamble,
                skip_rows_after_names=int(self._has_header),
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=self._dialect.separator,
                quote_char='"' if self._dialect.is_quoted else False,
                double_quote=self._dialect.is_quoted,
                invalid_row_handler=self._keep,
                newlines_in_values=self._dialect.is_quoted,
                ignore_empty_lines=False,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.binary()), strings_can_be_null=False
            ),
        )

    def _keep(self, row: pa_csv.InvalidRow) -> str:
        if row.text:
            what = "the header has" if self._has_header else "there should be"
            problem = f"{row.actual_columns} cells where {what} {row.expected_columns}"
            self._wrong[row.number] = (problem, row.text)
        else:
            self._wrong[row.number] = ("", "")  # a blank line: counted, and no row
        return "skip"

    def _with_lines(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        near = np.arange(self._row, self._row + batch.num_rows + len(self._wrong))
        numbers = near[~np.isin(near, list(self._wrong))][: batch.num_rows]
        columns = list(batch.columns)
        breaks = sum((pc.count_substring(column, b"\n").to_numpy() for column in columns), np.zeros(len(numbers), int))
        lines, wrong = self._take_lines(int(numbers[-1]), numbers, breaks)
        yield self._judged(lines, columns)
        if wrong.num_rows:
            yield wrong

    def _take_lines(self, last: int, numbers: Any, breaks: Any) -> tuple[Any, pa.RecordBatch]:
        """Goes on to row `last`: the lines of the rows `numbers`, whose cells hold so many line breaks, and the wrong
        rows up to there.
        """
        heights = np.ones(last + 1 - self._row, np.int64)
        heights[np.asarray(numbers, np.int64) - self._row] += breaks
        wrong = {number: self._wrong.pop(number) for number in sorted(self._wrong) if number <= last}
        for number, (_, text) in wrong.items():
            heights[number - self._row] += text.count("\n")
        lines = self._line + np.cumsum(heights) - heights
        told = [(lines[number - self._row], *row) for number, row in wrong.items() if row[1]]
        batch = arrow.batch(
            [line for line, _, _ in told],
            [problem for _, problem, _ in told],
            [_Utf8.original(text) for _, _, text in told],
            [pa.array([b""] * len(told), pa.binary())] * self._width,
        )
        lines_of_numbers = lines[np.asarray(numbers, np.int64) - self._row]
        self._row, self._line = last + 1, self._line + int(heights.sum())
        return lines_of_numbers, batch

    def _judged(self, lines: Any, columns: list[Any]) -> pa.RecordBatch:
        """A batch of rows with the right number of cells; those that are not UTF-8 get their problem."""
        problems, givens = [""] * len(lines), [b""] * len(lines)
        if self._text.is_mixed:
            texts = [column.cast(pa.string()) for column in columns]
            marked = [pc.match_substring_regex(text, _Utf8.MARKED).to_numpy(zero_copy_only=False) for text in texts]
            for i in np.flatnonzero(np.any(marked, axis=0)):
                row = io.StringIO()
                csv.writer(row, delimiter=self._dialect.separator, lineterminator="").writerow(
                    [text[int(i)].as_py() for text in texts]
                )
                problems[i], givens[i] = "not valid UTF-8", _Utf8.original(row.getvalue())
        return arrow.batch(lines, problems, givens, columns)


class _Utf8:
    """Bytes that mean to be UTF-8, as valid UTF-8: what is not becomes characters of the private use area.

    pyarrow would give up the whole file for one such byte in a row with a wrong number of cells.
    """

    MARKED = f"[{chr(_FOREIGN + 0x80)}-{chr(_FOREIGN + 0xFF)}]"

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = parts
        self.is_mixed = False

    def parts(self) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder("utf-8")()
        for part in self._parts:
            try:
                text = decoder.decode(part)
            except UnicodeDecodeError:
                self.is_mixed = True
                pending = decoder.getstate()
                decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
                decoder.setstate(pending)
                text = decoder.decode(part)
            yield self._marked(text)
        try:
            yield self._marked(decoder.decode(b"", final=True))
        except UnicodeDecodeError:
            self.is_mixed = True
            yield self._marked(decoder.getstate()[0].decode("utf-8", "surrogateescape"))

    def _marked(self, text: str) -> bytes:
        return (text.translate(_MARK) if self.is_mixed else text).encode()

    @staticmethod
    def original(text: str) -> bytes:
        """The bytes that a marked text was made from."""
        return text.translate(_UNMARK).encode("utf-8", "surrogateescape")


# Python's own stand-ins for such bytes (surrogates) are no valid UTF-8 either, hence the private use area.
_MARK = {0xDC00 + byte: _FOREIGN + byte for byte in range(0x80, 0x100)}
_UNMARK = {mark: escape for escape, mark in _MARK.items()}
