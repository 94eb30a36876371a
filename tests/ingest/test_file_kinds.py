"""What a file is, its bytes say, not its ending; and what in a folder is no data is named and left alone."""

import gzip
import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from ingest import csv_rows, files, kinds, landing_folder
from ingest.csv_dialect import dialect_of
from ingest.file_problem import FileProblem
from ingest.landing import load_day
from ingest.loading import load_paths
from tests.ingest.conftest import Desk, event, ndjson

ROWS = [event(event_id="1", revenue="12.50", note="a, b; c|d"), event(event_id="2", revenue="7", note="é")]
NAMES = list(ROWS[0])
LINES = ndjson(ROWS)


def brotli(content: bytes) -> bytes:
    compressed: bytes = pa.Codec("brotli").compress(content, asbytes=True)
    return compressed


def parquet(**options: str) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({name: [row[name] for row in ROWS] for name in NAMES}), sink, **options)
    return sink.getvalue()


def archive(contents: Mapping[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in contents.items():
            file.writestr(name, content)
    return sink.getvalue()


def table(separator: str, *, is_quoted: bool = True) -> str:
    quote = '"' * is_quoted
    lines = [NAMES, *([f"{quote}{row[name]}{quote}" for name in NAMES] for row in ROWS)]
    return "".join(separator.join(line) + "\r\n" for line in lines)


KINDS: dict[str, bytes | str] = {
    # PostHog names Parquet after the compression inside it
    "events.parquet.zst": parquet(compression="zstd"),
    "events.parquet.br": parquet(compression="brotli"),
    "events.parquet.sz": parquet(compression="snappy"),
    "events.snappy": parquet(),
    "events.csv": parquet(),
    "around.parquet.zst": zstandard.compress(parquet()),
    "around.parquet.gz": gzip.compress(parquet()),
    "archive.parquet.zip": archive({"events.parquet": parquet()}),
    "events.ndjson": gzip.compress(LINES),
    "no_ending": zstandard.compress(LINES),
    "another.gz": zstandard.compress(LINES),
    "twice.json.gz": gzip.compress(gzip.compress(LINES)),
    "plain.ndjson.gz": LINES,
    "plain.jsonl.br": LINES,
    "posthog.jsonl.br": brotli(LINES),
    "archive.json.gz": archive({"2026/events.json": LINES}),
    "archive.zip": archive({"__MACOSX/._a.json": b"\0", "README.md": b"Hello", "a.json": LINES}),
    "lines.csv": LINES,
    "lines.json": LINES,
    "lines.txt": LINES,
    "lines": LINES,
    "pretty.ndjson": json.dumps(ROWS[0], indent=1) + json.dumps(ROWS[1], indent=1),
    "array.csv": json.dumps(ROWS),
    "one after another.json": json.dumps(ROWS[0]) + json.dumps(ROWS[1]),
    "commas.json": table(","),
    "semicolons.csv": table(";"),
    "tabs.csv": table("\t"),
    "tabs.tsv": table("\t", is_quoted=False),
    "tabs.txt": table("\t"),
    "pipes.csv": table("|"),
    "excel.csv": "sep=;\r\n" + table(";"),
    "excel.txt": table("\t").encode("utf-16"),
    "utf16.json": LINES.decode().encode("utf-16"),
    "marked.csv": b"\xef\xbb\xbf" + table(";").encode(),
}


def test_the_bytes_say_what_a_file_is(tmp_path: Path) -> None:
    for name, content in KINDS.items():
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        found = files.first_pass(path)
        inside = b"".join(files.chunks(path))
        assert found.size == len(inside), name
        if found.kind == "parquet":
            assert pq.read_table(io.BytesIO(inside)).to_pylist() == ROWS, name
        elif found.kind == "csv":
            dialect = dialect_of(found.head)
            rows = list(dialect.rows(inside.removeprefix(b"\xef\xbb\xbf").decode()))
            assert rows == [NAMES, *(list(row.values()) for row in ROWS)], name
        else:
            assert found.kind == ("lines" if inside == LINES else "documents"), name


def test_the_bytes_say_how_a_file_is_loaded(desk: Desk) -> None:
    names = ("events.parquet.zst", "around.parquet.gz", "archive.json.gz", "pretty.ndjson", "excel.csv", "excel.txt")
    for name in names:
        # each with options of its own, so that the same content is loaded again
        result = desk.load(desk.put(name, KINDS[name]), tenant=name)
        assert (result.status, result.rows_accepted, result.reason) == ("loaded", 2, ""), name
    found = desk.rows(
        columns="load_id, event_id, toFloat64(revenue) AS revenue, JSONExtractString(properties, 'note') AS note"
    )
    read = [tuple(row.values())[1:] for row in found]
    assert read == [("1", 12.5, "a, b; c|d"), ("2", 7.0, "é")] * len(names)


@pytest.mark.parametrize("pack", [gzip.compress, lambda content: zstandard.compress(b"\xef\xbb\xbf" + content)])
def test_an_archive_of_many_files_is_one_load(desk: Desk, pack: Callable[[bytes], bytes]) -> None:
    """Amplitude exports a ZIP of a .json.gz per hour."""
    hours = {f"187520/187520_2026-03-01_{hour}#0.json.gz": [event(event_id=f"{hour}"), "junk"] for hour in range(3)}
    contents = {name: pack(ndjson(rows).rstrip(b"\n")) for name, rows in hours.items()}
    result = desk.load(desk.put("export.zip", archive(contents | {"187520/manifest.json": b"{}"})))
    assert (result.status, result.rows_accepted, result.rows_rejected) == ("loaded", 3, 3)
    assert [(row["line"], row["event_id"]) for row in desk.rows()] == [(1, "0"), (3, "1"), (5, "2")]


def test_an_archive_of_csv_files_has_one_header(desk: Desk) -> None:
    contents = {f"{day}.csv": table(";").encode() for day in (1, 2)}
    result = desk.load(desk.put("export.zip", archive(contents)))
    assert (result.rows_accepted, result.rows_rejected, result.rows_duplicate) == (4, 0, 2)
    assert [row["line"] for row in desk.rows()] == [2, 3, 5, 6]


@pytest.mark.parametrize(
    ("contents", "says"),
    [
        ({"a.json": LINES, "b.csv": table(",").encode()}, "cannot be read as one: a.json, b.csv"),
        ({"a.csv": b"event,timestamp\n", "b.csv": b"event,time\n"}, "cannot be read as one"),
        ({"a.parquet": parquet(), "b.parquet": parquet()}, "load the folder"),
        ({"README.md": b"Hello"}, "no file with data"),
        ({"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<workbook/>"}, "Save it as CSV"),
    ],
)
def test_an_archive_that_is_no_load_says_why(tmp_path: Path, contents: Mapping[str, bytes], says: str) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(archive(contents))
    with pytest.raises(FileProblem, match=says):
        files.first_pass(path)


def test_a_file_that_was_cut_off_says_so(tmp_path: Path) -> None:
    for name, content in (("a.gz", gzip.compress(LINES * 999)), ("a.jsonl.br", brotli(LINES * 999))):
        path = tmp_path / name
        path.write_bytes(content[:-9])
        with pytest.raises(FileProblem, match=r"compressed file is (cut off|damaged)"):
            files.first_pass(path)


def test_packed_files_keep_what_is_packed_within_bounds(tmp_path: Path) -> None:
    path = tmp_path / "a.json.gz"
    content = LINES
    for _ in range(6):
        content = gzip.compress(content)
    path.write_bytes(content)
    with pytest.raises(FileProblem, match="too often"):
        files.first_pass(path)


@pytest.mark.parametrize(
    ("text", "separator", "is_quoted"),
    [
        ("a,b,c\n1,2;3,4\n", ",", True),
        ('a;b\n"1,5";2\n', ";", True),
        ("name;price,eur\n", ";", True),
        ("only\n1,5\n", ",", True),
        # Snowplow's: no header, no quoting, JSON in the cells
        ('shop\tweb\t{"a":[1,2,3,4,5],"b":"x, y"}\t"Hello" he said\nshop\tweb\t{"a":1}\t\n', "\t", False),
        ('shop\tweb\t"unbalanced\nshop\tweb\tx\n', "\t", False),
        ("a\tb\n1\t2\n", "\t", False),
        # Excel's
        ('a\tb\n1\t"with ""quotes"", a\ttab\nand a line"\n', "\t", True),
        ("sep=|\na|b\n", "|", True),
    ],
)
def test_separators_and_quotes(text: str, separator: str, is_quoted: bool) -> None:
    found = dialect_of(text.encode())
    assert (found.separator, found.is_quoted) == (separator, is_quoted)


def test_one_line_of_tabs_is_a_table_and_one_of_commas_is_none(tmp_path: Path) -> None:
    path = tmp_path / "part-00000"
    path.write_text("shop\tweb\t2026-03-01\n")
    assert files.first_pass(path).kind == "csv"
    path.write_text("Well, then\n")
    with pytest.raises(FileProblem, match="neither"):
        files.first_pass(path)


def test_what_can_be_read_only_once_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ndjson")
    with pytest.raises(FileProblem, match="only once"):
        files.state_of(tmp_path / "pipe.ndjson")


def test_columns_of_a_file_without_a_header(desk: Desk) -> None:
    head = 'shop\t{"a": 1}\t"x" y\nshop\ttwo\nshop\t\té\n'.encode()
    names = ["app_id", "context", "title"]
    columns = csv_rows.columns_of(iter([head]), head, names, has_header=False)
    (read,) = [pa.ipc.open_stream(b"".join(columns.stream)).read_all()]
    assert csv_rows.header_of(head) == ["shop", '{"a": 1}', '"x" y']
    assert columns.names == names
    assert read.to_pylist() == [
        {"line": 1, "problem": "", "given": b"", "c0": b"shop", "c1": b'{"a": 1}', "c2": b'"x" y'},
        {"line": 3, "problem": "", "given": b"", "c0": b"shop", "c1": b"", "c2": "é".encode()},
        {
            "line": 2, "problem": "2 cells where there should be 3", "given": b"shop\ttwo",
            "c0": b"", "c1": b"", "c2": b"",
        },
    ]  # fmt: skip


def test_lines_are_counted_from_the_first_line_of_the_file(desk: Desk) -> None:
    text = 'sep=;\ntenant_id;event;timestamp;distinct_id\nt;click;2026-03-01\nt;"cl\nick";2026-03-01;d\nt;click;;d\n'
    desk.load(desk.put("a.csv", text))
    assert [row["line"] for row in desk.rows()] == [4]
    assert [(line, reason) for line, reason, _ in desk.rejected()] == [
        (3, "3 cells where the header has 4"),
        (6, "no timestamp"),
    ]


NO_DATA = {
    "README.txt": (b"Exported, weekly\nby, hand\n", "a note"),
    "events.ndjson.md5": (b"d41d8cd98f00b204e9800998ecf8427e\n", "a checksum"),
    "SHA256SUMS": (b"e3b0c44298fc1c149afbf4c8996fb924  a.ndjson\n", "a checksum"),
    "manifest.json": (b'{"entries": [{"url": "s3://bucket/a.ndjson"}]}', "a manifest"),
    "unload_manifest": (b'{"entries": []}', "a manifest"),
    "_SUCCESS": (b"", "an empty marker"),
    "2026-03-01.done": (b"", "an empty marker"),
    ".DS_Store": (b"\0\0\0\1Bud1", "its name begins with ."),
    "_committed_1": (b'{"added": []}', "its name begins with _"),
    "upload.ndjson.part": (LINES[:50], "an unfinished file"),
    "events.ndjson.bak": (LINES, "a spare copy"),
    "settings.yaml": (b"tenant: t\n", "settings"),
    "notes.txt": (b"Dear all,\nplease look at this.\n", "neither JSON nor Parquet nor a table of columns"),
    "logo.png": (b"\x89PNG\r\n\x1a\n\0\0", "binary, not text"),
    "notes.gz": (gzip.compress(b"Dear all"), "neither JSON nor Parquet nor a table of columns"),
}


def test_what_is_no_data_in_a_folder_is_left_alone(desk: Desk) -> None:
    day = landing_folder.EARLIEST.replace(year=2026)
    place = landing_folder.folder(desk.warehouse.settings) / "events" / day.isoformat()
    try:
        for name, (content, _) in NO_DATA.items():
            desk.put(f"exports/{name}", content)
            desk.put(str(place / name), content)
        desk.put("exports/_delta_log/0.json", b"{}")
        for folder in (desk.folder / "exports", place):
            desk.put(str(folder / "part-00000"), LINES)
        (result,) = load_paths(desk.warehouse, "events", [desk.folder / "exports"])
        assert (result.path.name, result.rows_accepted) == ("part-00000", 2)
        left = {found.path.name: found.reason for found in files.left_alone([desk.folder / "exports"])}
        assert left == {name: reason for name, (_, reason) in NO_DATA.items()} | {
            "_delta_log": "its name begins with _"
        }
        assert [each.path.name for each in load_day(desk.warehouse, "events", day)] == ["part-00000"]
        assert len(landing_folder.left_alone(place.parent.parent, "events", day.isoformat())) == len(NO_DATA)
    finally:
        for path in place.iterdir():
            path.unlink()
        place.rmdir()


def test_damaged_data_in_a_folder_is_not_left_alone(desk: Desk) -> None:
    damaged = {
        "cut.gz": gzip.compress(LINES)[:-9],
        "cut.parquet": parquet()[:100],
        "empty.ndjson": b"",
        "export.xlsx": archive({"[Content_Types].xml": b"<Types/>"}),
        "random.json": b"\0" * 100,
    }
    for name, content in damaged.items():
        desk.put(f"exports/{name}", content)
    results = list(load_paths(desk.warehouse, "events", [desk.folder / "exports"]))
    assert [(result.path.name, result.status) for result in results] == [(name, "failed") for name in damaged]
    assert files.left_alone([desk.folder / "exports"]) == []


def test_what_is_no_data_is_an_error_if_it_is_named_itself(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FOOTFALL_MAX_REJECTED_SHARE")
    paths = [desk.put(name, content) for name, (content, _) in NO_DATA.items()]
    loaded = [each.path.name for each in load_paths(desk.warehouse, "events", paths) if each.status != "failed"]
    assert loaded == ["events.ndjson.bak"], "a copy is data, if somebody says so"


def test_endings() -> None:
    for name in ("a.NDJSON", "a.json.gz", "a.csv.ZIP", "a.parquet.sz", "a.tsv.br", "a.jsonl.gz.zst"):
        assert kinds.expected(name)
    for name in ("a", "a.txt", "a.gz", "json", "a.json.md5"):
        assert not kinds.expected(name)
