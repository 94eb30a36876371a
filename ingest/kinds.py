"""What a file is: its first bytes say; its ending has a say where they leave it open."""

import codecs
import json
import re
from pathlib import PurePath

import orjson

from ingest.csv_dialect import dialect_of
from ingest.file_problem import FileProblem

KINDS = {
    ".ndjson": "lines", ".jsonl": "lines", ".json": "json", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet",
}  # fmt: skip
PACKINGS = (".gz", ".zst", ".zip")
READS = f"Footfall reads {', '.join(KINDS)}, plain, compressed or packed ({', '.join(PACKINGS)})."

# Endings that Parquet compressed within itself often has; a file in Brotli has no other sign.
_PACKED = (*PACKINGS, ".gzip", ".br", ".sz", ".snappy", ".lz4")
# So many lines are looked at for one that is JSON.
_LINES = 100

# Files beside the data, by name.
_BESIDE = {
    r".*\.(md5|sha\d+|crc|crc32|sfv|checksums?)|(md5|sha\d*|check)sums?(\.txt)?": "a checksum",
    r".*manifest(\.\w+)?": "a manifest",
    r"(.*[._-])?schema\.json|.*\.avsc": "a schema",
    r"(readme|licen[cs]e|notice|changelog|copying)(\.\w+)?|.*\.(md|rst)": "a note",
    r".*\.(asc|sig)": "a signature",
    r".*\.(ya?ml|toml|ini|cfg|conf)": "settings",
    r".*\.(part|partial|filepart|tmp|temp|crdownload|download|swp|lock)": "an unfinished file",
    r".*(\.(bak|old|orig)|~)": "a spare copy",
}
_FOREIGN = {
    b"\x1f\x8b": "compressed with gzip",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"PK\x03\x04": "a ZIP archive",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz",
    b"7z\xbc\xaf": "a 7z archive",
    b"\xff\x06\0\0sNaPpY": "compressed with Snappy",
    b"\x04\x22\x4d\x18": "compressed with LZ4",
    b"Obj\x01": "Avro",
    b"ORC": "ORC",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word document",
}


def expected(name: str) -> str:
    """What a file is by its ending: lines, json, csv or parquet; empty if the ending says nothing."""
    path = PurePath(name.lower())
    while path.suffix in _PACKED:
        path = path.with_suffix("")
    return KINDS.get(path.suffix, "")


def beside_data(name: str) -> str:
    """What a file is that lies beside data and by its name is none: a checksum, a manifest; empty for all others."""
    return next((what for pattern, what in _BESIDE.items() if re.fullmatch(pattern, name, re.IGNORECASE)), "")


def kind_of(head: bytes, name: str) -> str:
    """How a file that begins so is read: lines (a JSON object per line), documents (JSON over several lines, or an
    array), csv or parquet. An empty one is what its ending says.

    Raises FileProblem if it is none of these.
    """
    by_ending = expected(name)
    if head.startswith(b"PAR1") or (not head and by_ending == "parquet"):
        return "parquet"
    _check_text(head, by_ending)
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if kind := _kind_of_json(text, by_ending):
        return kind
    if any(map(_is_object, text.split(b"\n", _LINES)[:_LINES])):
        return "lines"
    if by_ending == "csv" or (text and dialect_of(head).is_table):
        return "csv"
    if by_ending in ("lines", "json") or not text:
        return "lines"
    raise FileProblem(_none(by_ending), READS)


def _none(by_ending: str) -> str:
    if by_ending == "parquet":
        return "the file is not Parquet"
    return "the file is neither JSON nor Parquet nor a table of columns"


def _check_text(head: bytes, by_ending: str) -> None:
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise FileProblem(f"the file is binary, not text: {what}", READS)
    if b"\0" in head:
        raise FileProblem("the file is not Parquet" if by_ending == "parquet" else "the file is binary, not text")


def _is_object(line: bytes) -> bool:
    try:
        return line.lstrip().startswith(b"{") and isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def _kind_of_json(text: bytes, by_ending: str) -> str:
    """Lines or documents, or empty for what is no JSON."""
    if text.startswith(b"["):
        if text[1:].lstrip()[:1] in (b"{", b"]", b""):
            return "documents"
        return "lines" if by_ending in ("lines", "json") else ""
    if not text.startswith(b"{"):
        return ""
    document = text.decode("utf-8", errors="replace")
    try:
        end = json.JSONDecoder().raw_decode(document)[1]
    except (ValueError, RecursionError):
        # Longer than what is looked at, or a broken first line: then the second line rather begins a row as well.
        line, _, rest = text.partition(b"\n")
        is_cut = bool(rest) and not rest.lstrip().startswith(b"{") and not _is_object(line)
        return "documents" if is_cut and by_ending != "lines" else "lines"
    after = document[end:].partition("\n")[0].strip()
    return "documents" if "\n" in document[:end] or after.startswith("{") else "lines"
