"""Files of any accepted kind, as the bytes that the warehouse reads."""

import codecs
import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import orjson
import zstandard

from warehouse.errors import FootfallError, UsageError

KINDS = {".ndjson": "lines", ".jsonl": "lines", ".json": "json", ".csv": "csv", ".parquet": "parquet"}
COMPRESSIONS = (".gz", ".zst")

_CHUNK = 1 << 20
# Of compressed bytes; what comes out at a time is a hundred times as much at worst.
_ZSTD_CHUNK = 1 << 16
# No part of a file that is loaded at one time with others is smaller: each costs a query.
_PART = 32 << 20
# How much of a file is looked at to tell what it is: more than one line of most files.
_HEAD = 1 << 20


class FileProblem(FootfallError):
    """A file that cannot be read at all; the message says why, without the path."""


@dataclass(frozen=True)
class Content:
    """What a first pass over a file found: the hash of its decompressed bytes, their number, its first bytes, and
    here and there how many lines end before which byte.
    """

    content_hash: str
    size: int
    head: bytes
    line_marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Part:
    """Whole lines of a file, from one byte to another, and how many lines there are before them."""

    start: int
    end: int
    lines_before: int


def find(paths: Sequence[Path]) -> list[Path]:
    """The files that the paths name. Folders are searched through and sorted; names there that begin with . or _ and
    files of no kind that Footfall reads are left out.

    Raises UsageError for a path that does not exist.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = (file for file in sorted(path.rglob("*")) if is_readable(file) and file.is_file())
            found += [
                file for file in inside if not any(name.startswith((".", "_")) for name in file.relative_to(path).parts)
            ]
        elif path.exists():
            found.append(path)
        else:
            raise UsageError(f"There is no file or folder {path}.", "Check the path and run this again.")
    return list(dict.fromkeys(found))


def kind_of(path: Path) -> str:
    """How a file is to be read: lines, json, csv or parquet. Raises FileProblem for any other ending."""
    kind = _kind(path)
    if kind is None:
        raise FileProblem(
            f"the ending {repr(path.suffix) if path.suffix else '(none)'} is not one Footfall reads",
            f"It reads {', '.join(KINDS)}, plain or compressed ({', '.join(COMPRESSIONS)}).",
        )
    return kind


def is_readable(path: Path) -> bool:
    """Whether a file of that name is of a kind that Footfall reads."""
    return _kind(path) is not None


def _kind(path: Path) -> str | None:
    name = path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path
    return KINDS.get(name.suffix.lower())


def state_of(path: Path) -> tuple[int, int, int]:
    """What differs once a file has been written to or replaced: its number, size and time. Raises FileProblem."""
    try:
        stat = path.stat()
    except OSError as error:
        raise FileProblem(f"the file cannot be read ({error.strerror or error})") from None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def chunks(path: Path) -> Iterator[bytes]:
    """The decompressed bytes of a file, a megabyte at a time. Raises FileProblem if it is damaged or not readable."""
    try:
        if path.suffix.lower() == ".zst":
            yield from _unzstd(path)
            return
        with _opened(path) as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except EOFError:
        raise FileProblem("the compressed file is cut off before its end") from None
    except (gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
        raise FileProblem(f"the compressed file is damaged ({error})") from None
    except OSError as error:
        raise FileProblem(f"the file cannot be read ({error.strerror or error})") from None


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def _unzstd(path: Path) -> Iterator[bytes]:
    """Frame by frame, because only a frame knows whether it came to its end."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 31)
    with path.open("rb") as file:
        frame, is_whole = decompressor.decompressobj(), True
        while chunk := file.read(_ZSTD_CHUNK):
            while chunk:
                yield frame.decompress(chunk)
                is_whole, chunk = frame.eof, frame.unused_data
                if is_whole:
                    frame = decompressor.decompressobj()
    if not is_whole:
        raise EOFError


def first_pass(path: Path, kind: str) -> Content:
    """Read a file once: nothing of a damaged or foreign file ever reaches the warehouse.

    Raises FileProblem if it is damaged, or binary where text is expected.
    """
    digest, size, head = hashlib.sha256(), 0, b""
    lines, marks = 0, [(0, 0)]
    for chunk in chunks(path):
        digest.update(chunk)
        size += len(chunk)
        lines += chunk.count(b"\n")
        if size - marks[-1][0] >= _PART:
            marks.append((size, lines))
        if len(head) < _HEAD:
            head += chunk[: _HEAD - len(head)]
    if kind != "parquet":
        _check_text(head)
    elif head and not head.startswith(b"PAR1"):
        raise FileProblem("the file is not Parquet")
    return Content(digest.hexdigest(), size, head.removeprefix(codecs.BOM_UTF8), tuple(marks))


def parts(path: Path, content: Content, count: int) -> list[Part]:
    """At most `count` parts of about the same size that together are an uncompressed file, cut between lines.

    One part if the file is compressed or small.
    """
    cuts = [(0, 0)]
    is_plain = path.suffix.lower() not in COMPRESSIONS
    with path.open("rb") as file:
        for i in range(1, count) if is_plain else ():
            offset, lines = next((m for m in content.line_marks if m[0] >= content.size * i // count), (0, 0))
            if offset <= cuts[-1][0]:
                continue
            file.seek(offset)
            rest = file.readline()
            if rest.endswith(b"\n") and offset + len(rest) < content.size:
                cuts.append((offset + len(rest), lines + 1))
    ends = [start for start, _ in cuts[1:]] + [content.size]
    return [Part(start, end, lines) for (start, lines), end in zip(cuts, ends, strict=True)]


def chunks_of(path: Path, part: Part) -> Iterator[bytes]:
    """The decompressed bytes of a part of a file."""
    if path.suffix.lower() in COMPRESSIONS:
        yield from chunks(path)
        return
    try:
        with path.open("rb") as file:
            file.seek(part.start)
            left = part.end - part.start
            while left and (chunk := file.read(min(_CHUNK, left))):
                left -= len(chunk)
                yield chunk
    except OSError as error:
        raise FileProblem(f"the file cannot be read ({error.strerror or error})") from None


def _check_text(head: bytes) -> None:
    for magic, what in _MAGIC.items():
        if head.startswith(magic):
            raise FileProblem(f"the file is binary, not text: {what}", "Give it the ending that says so.")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise FileProblem("the file is UTF-16 text", "Save it as UTF-8.")
    if b"\0" in head:
        raise FileProblem("the file is binary, not text")


_MAGIC = {
    b"\x1f\x8b": "compressed with gzip",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"PAR1": "Parquet",
    b"PK\x03\x04": "a ZIP archive",
}


def without_mark(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes of a text without its byte order mark."""
    is_first = True
    for chunk in parts:
        yield chunk.removeprefix(codecs.BOM_UTF8) if is_first else chunk
        is_first = False


def is_documents(head: bytes, kind: str) -> bool:
    """Whether JSON goes over several lines: an array of objects, or objects of which the first takes several lines.

    In a file that calls itself NDJSON only an array does; any other line that is not a row is rejected on its own.
    """
    text = head.lstrip()
    if text.startswith(b"["):
        return text[1:].lstrip()[:1] in (b"{", b"]", b"")
    line, _, rest = text.partition(b"\n")
    if kind == "lines" or not rest or not line.startswith(b"{"):
        return False
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        # rather a broken first line, if the second one begins a row as well
        return not rest.lstrip().startswith(b"{")
    return False
