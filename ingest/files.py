"""Files of any accepted kind, as the bytes that the warehouse reads."""

import codecs
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

import orjson

from ingest import kinds
from ingest.file_problem import FileProblem
from ingest.unpacking import CHUNK, HEAD, unpacked, with_head
from warehouse.errors import UsageError

# No part of a file that is loaded at one time with others is smaller: each costs a query.
_PART = 32 << 20
# Of a file without one of our endings so much tells whether it holds data.
_LOOK = 1 << 16


@dataclass(frozen=True)
class Content:
    """What a first pass over a file found: how it is read (`kinds.kind_of`), the hash of its unpacked bytes, their
    number, its first bytes, whether it is packed, and here and there how many lines end before which byte.
    """

    kind: str
    content_hash: str
    size: int
    head: bytes
    is_packed: bool
    line_marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Part:
    """Whole lines of a file, from one byte to another, and how many lines there are before them."""

    start: int
    end: int
    lines_before: int


@dataclass(frozen=True)
class LeftAlone:
    """A file, or a folder, within a folder, that plainly holds no data, and what it is."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path} ({self.reason})"


def find(paths: Sequence[Path]) -> list[Path]:
    """The files that the paths name. Folders are searched through and sorted; what is plainly no data there is left
    out (`left_alone`).

    Raises UsageError for a path that does not exist.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += [file for file, reason in _inside(path) if not reason]
        elif path.exists():
            found.append(path)
        else:
            raise UsageError(f"There is no file or folder {path}.", "Check the path and run this again.")
    return list(dict.fromkeys(found))


def left_alone(paths: Sequence[Path]) -> list[LeftAlone]:
    """What `find` leaves out in the folders among these paths."""
    inside = (each for path in paths if path.is_dir() for each in _inside(path))
    return list(dict.fromkeys(LeftAlone(path, reason) for path, reason in inside if reason))


def _inside(folder: Path) -> Iterator[tuple[Path, str]]:
    """All files of a folder and its folders, sorted, each with the reason why it is left alone, or empty."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        yield folder, "it cannot be read"
        return
    for entry in entries:
        is_hidden = entry.name.startswith((".", "_"))
        if entry.is_dir() and not is_hidden and not entry.is_symlink():
            yield from _inside(entry)
        elif entry.is_file() or is_hidden:
            yield entry, no_data(entry)


def no_data(path: Path) -> str:
    """What a file in a folder is that plainly holds no data; empty for one that is to be loaded.

    The name says so, or it has none of our endings and its first bytes are of no kind that Footfall reads. One that
    cannot be read or unpacked is to be loaded: that says what is wrong with it.
    """
    try:
        is_empty = path.is_file() and not path.stat().st_size
        if is_empty and (path.name.startswith((".", "_")) or not kinds.expected(path.name)):
            return "an empty marker"
        if path.name.startswith((".", "_")):
            return f"its name begins with {path.name[0]}"
        if what := kinds.beside_data(path.name):
            return what
        if kinds.expected(path.name):
            return ""
        inside = unpacked(path)
        head, _ = with_head(inside.chunks, _LOOK)
    except (FileProblem, OSError):
        return ""
    try:
        kinds.kind_of(head, inside.name)
    except FileProblem as problem:
        return problem.message.removeprefix("the file is ")
    return ""


def state_of(path: Path) -> tuple[int, int, int]:
    """What differs once a file has been written to or replaced: its number, size and time. Raises FileProblem."""
    try:
        stat = path.stat()
    except OSError as error:
        raise FileProblem(f"the file cannot be read ({error.strerror or error})") from None
    if not S_ISREG(stat.st_mode):
        raise FileProblem("it is no file, and can be read only once", "Write it into a file first.")
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def chunks(path: Path) -> Iterator[bytes]:
    """The unpacked bytes of a file, a megabyte or so at a time. Raises FileProblem if it is damaged or not readable."""
    yield from unpacked(path).chunks


def first_pass(path: Path) -> Content:
    """Read a file once: nothing of a damaged or foreign file ever reaches the warehouse.

    Raises FileProblem if it is damaged, or of no kind that Footfall reads.
    """
    inside = unpacked(path)
    head, chunks = with_head(inside.chunks, HEAD)
    kind = kinds.kind_of(head, inside.name)
    digest, size, lines, marks = hashlib.sha256(), 0, 0, [(0, 0)]
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
        lines += chunk.count(b"\n")
        if size - marks[-1][0] >= _PART:
            marks.append((size, lines))
    return Content(kind, digest.hexdigest(), size, head.removeprefix(codecs.BOM_UTF8), inside.is_packed, tuple(marks))


def parts(path: Path, content: Content, count: int) -> list[Part]:
    """At most `count` parts of about the same size that together are a file, cut between lines.

    One part if the file is packed or small.
    """
    cuts = [(0, 0)]
    with path.open("rb") as file:
        for i in range(1, count) if not content.is_packed else ():
            offset, lines = next((m for m in content.line_marks if m[0] >= content.size * i // count), (0, 0))
            if offset <= cuts[-1][0]:
                continue
            file.seek(offset)
            rest = file.readline()
            if rest.endswith(b"\n") and offset + len(rest) < content.size:
                cuts.append((offset + len(rest), lines + 1))
    ends = [start for start, _ in cuts[1:]] + [content.size]
    return [Part(start, end, lines) for (start, lines), end in zip(cuts, ends, strict=True)]


def chunks_of(path: Path, content: Content, part: Part) -> Iterator[bytes]:
    """The unpacked bytes of a part of a file."""
    if content.is_packed:
        yield from chunks(path)
        return
    try:
        with path.open("rb") as file:
            file.seek(part.start)
            left = part.end - part.start
            while left and (chunk := file.read(min(CHUNK, left))):
                left -= len(chunk)
                yield chunk
    except OSError as error:
        raise FileProblem(f"the file cannot be read ({error.strerror or error})") from None


def first_rows(content: Content) -> list[object]:
    """The rows in the first bytes of JSON, parsed; what is cut off or no JSON is left out."""
    if content.kind != "documents":
        return [row for line in content.head.splitlines() if (row := _parsed(line)) is not None]
    text, rows, decoder = (
        content.head.decode("utf-8", errors="replace").lstrip("\ufeff \t\r\n["),
        list[object](),
        json.JSONDecoder(),
    )
    while text:
        try:
            row, end = decoder.raw_decode(text)
        except (ValueError, RecursionError):
            break
        rows.append(row)
        text = text[end:].lstrip(" \t\r\n,")
    return rows


def _parsed(line: bytes) -> object | None:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
