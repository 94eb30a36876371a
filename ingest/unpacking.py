"""What is packed, unpacked: gzip, zstd and ZIP by their first bytes, also inside one another, whatever the ending."""

import codecs
import io
import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path, PurePath
from typing import IO, Any

import pyarrow as pa
import zstandard

from ingest import kinds
from ingest.csv_dialect import dialect_of
from ingest.file_problem import FileProblem

CHUNK = 1 << 20
# How much of a file is looked at to tell what it is: more than one line of most files.
HEAD = 1 << 20
# Of compressed bytes; what comes out at a time is a hundred times as much at worst.
_PACKED_CHUNK = 1 << 16
# So often something may be packed within something; more is no export.
_MOST_LAYERS = 4


@dataclass(frozen=True)
class Unpacked:
    """The bytes inside a file, a megabyte or so at a time, what they are called there, and whether they were packed."""

    name: str
    is_packed: bool
    chunks: Iterator[bytes]


def unpacked(path: Path) -> Unpacked:
    """What is inside a file. Raises FileProblem, now or while it is read, if it is damaged or cannot be read."""
    with _as_problems():
        inside = _inside(_bytes_of(path), path.name, path)
    return replace(inside, chunks=_checked(inside.chunks))


def _checked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    with _as_problems():
        yield from chunks


@contextmanager
def _as_problems() -> Iterator[None]:
    try:
        yield
    except EOFError:
        raise FileProblem("the compressed file is cut off before its end") from None
    except (zlib.error, zstandard.ZstdError) as error:
        raise FileProblem(f"the compressed file is damaged ({error})") from None
    except zipfile.BadZipFile as error:
        raise FileProblem(f"the ZIP archive is damaged ({error})") from None
    except OSError as error:
        raise FileProblem(f"the file cannot be read ({error.strerror or error})") from None


def _bytes_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from _chunks_of(file)


def _chunks_of(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _inside(chunks: Iterator[bytes], name: str, path: Path | None = None, layer: int = 0) -> Unpacked:
    """What is inside these bytes, which are a file of that name; with `path`, they are that file as it lies there."""
    head, chunks = with_head(chunks, 16)
    unpack = _unpacker(head, name)
    if unpack is not None and layer == _MOST_LAYERS:
        raise FileProblem("the file is packed within itself too often", "Unpack it.")
    if unpack is not None:
        return replace(_inside(unpack(chunks), name, None, layer + 1), is_packed=True)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _unzipped(path.open("rb") if path else spooled(chunks), layer)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Unpacked(name, True, _from_utf16(chunks))
    return Unpacked(name, False, chunks)


def with_head(chunks: Iterator[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, as many as `size` if there are, and all of them, with these."""
    taken, length = [], 0
    for chunk in chunks:
        taken.append(chunk)
        length += len(chunk)
        if length >= size:
            break
    return b"".join(taken)[:size], chain(taken, chunks)


def _unpacker(head: bytes, name: str) -> Callable[[Iterable[bytes]], Iterator[bytes]] | None:
    if head.startswith(b"\x1f\x8b"):
        return _gunzipped
    # its frame, or one to be skipped
    if head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F):
        return _unzstd
    # Brotli begins with no sign of its own; what is called so may also be Parquet compressed within itself.
    if name.lower().endswith(".br") and not head.startswith(b"PAR1") and not _TEXT.fullmatch(head):
        return _from_brotli
    return None


_TEXT = re.compile(rb"(\xef\xbb\xbf)?[\t\r\n\x20-\x7e\x80-\xff]*")


def _gunzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Member by member, because only a member knows whether it came to its end."""
    member, is_whole = zlib.decompressobj(zlib.MAX_WBITS | 16), True
    for chunk in _small(chunks):
        # after a member's end zeros may fill a block
        rest = chunk.lstrip(b"\0") if is_whole else chunk
        while rest:
            yield member.decompress(rest)
            is_whole, rest = member.eof, member.unused_data
            if is_whole:
                member, rest = zlib.decompressobj(zlib.MAX_WBITS | 16), rest.lstrip(b"\0")
    if not is_whole:
        raise EOFError


def _unzstd(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Frame by frame, because only a frame knows whether it came to its end."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 31)
    frame, is_whole = decompressor.decompressobj(), True
    for chunk in _small(chunks):
        rest = chunk
        while rest:
            yield frame.decompress(rest)
            is_whole, rest = frame.eof, frame.unused_data
            if is_whole:
                frame = decompressor.decompressobj()
    if not is_whole:
        raise EOFError


def _small(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), _PACKED_CHUNK):
            yield chunk[start : start + _PACKED_CHUNK]


def _from_brotli(chunks: Iterable[bytes]) -> Iterator[bytes]:
    try:
        with pa.CompressedInputStream(pa.PythonFile(Readable(iter(chunks)), mode="r"), "brotli") as stream:
            while chunk := stream.read(CHUNK):
                yield chunk
    except OSError as error:
        raise FileProblem(f"the compressed file is damaged ({error})") from None


def _from_utf16(chunks: Iterable[bytes]) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder("utf-16")(errors="replace")
    for chunk in chunks:
        yield decoder.decode(chunk).encode()
    yield decoder.decode(b"", final=True).encode()


def spooled(chunks: Iterable[bytes]) -> IO[bytes]:
    """The bytes as a file of no name, which goes away once nobody reads it any more."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  read on for as long as what is inside
    file.writelines(chunks)
    file.seek(0)
    return file


def _unzipped(file: IO[bytes], layer: int) -> Unpacked:
    """A ZIP archive: its data file or, if there are several alike, all of them as one."""
    archive = zipfile.ZipFile(file)
    names = [entry.filename for entry in archive.infolist() if not entry.is_dir() and entry.file_size]
    if "[Content_Types].xml" in names:
        raise FileProblem("the file is an Excel workbook", "Save it as CSV.")
    parts = [PurePath(name).parts for name in names]
    names = [
        name
        for name, of_name in zip(names, parts, strict=True)
        if not any(part.startswith((".", "_")) for part in of_name) and not kinds.beside_data(of_name[-1])
    ]
    if not names:
        raise FileProblem("the ZIP archive holds no file with data")
    if len(names) == 1:
        return replace(_inside(_member(archive, names[0]), names[0], None, layer + 1), is_packed=True)
    return Unpacked(names[0], True, _joined(archive, names, layer))


def _member(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    try:
        member = archive.open(name)
    except (NotImplementedError, RuntimeError) as error:  # another way of packing; a password
        raise FileProblem(f"the ZIP archive cannot be unpacked ({error})") from None
    with member:
        yield from _chunks_of(member)


def _joined(archive: zipfile.ZipFile, names: list[str], layer: int) -> Iterator[bytes]:
    """The files of an archive as one: of lines of JSON, or of CSV that all have the same header.

    Each line stays one line, so that lines are counted on from file to file.
    """
    kind, header = "", b""
    for number, name in enumerate(names):
        inside = _inside(_member(archive, name), name, None, layer + 1)
        head, chunks = with_head(inside.chunks, HEAD)
        head = head.removeprefix(codecs.BOM_UTF8)
        of_this = kinds.kind_of(head, inside.name)
        header_of_this = _header(head) if of_this == "csv" else b""
        if number == 0:
            kind, header = of_this, header_of_this
        if of_this not in ("lines", "csv") or (of_this, header_of_this) != (kind, header):
            raise FileProblem(
                f"the ZIP archive holds files that cannot be read as one: {', '.join(names[:3])}",
                "Unpack it, and load the folder.",
            )
        # in place of a header that has been there, as many blank lines
        skipped = header_of_this if number else b""
        yield b"\n" * skipped.count(b"\n")
        last = b""
        for chunk in _from(len(skipped), without_mark(chunks)):
            yield chunk
            last = chunk[-1:] or last
        if last != b"\n":
            yield b"\n"


def _header(head: bytes) -> bytes:
    lines = head.split(b"\n", dialect_of(head).preamble + 1)
    return b"\n".join(lines[:-1]) + b"\n"


def _from(start: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk[start:]
        start = max(start - len(chunk), 0)


def without_mark(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes of a text without its byte order mark."""
    is_first = True
    for chunk in chunks:
        yield chunk.removeprefix(codecs.BOM_UTF8) if is_first else chunk
        is_first = is_first and not chunk


class Readable(io.RawIOBase):
    """Chunks as a file to read from."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Bytes into the buffer, and how many."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count
