"""Bad input gets a clear error, and nothing is lost: neither good rows beside it nor what was loaded before."""

import bz2
import csv
import gzip
import io
import json
import os
import random
from pathlib import Path

import httpx
import pytest
import zstandard

from ingest import loading
from tests.ingest.conftest import Desk, event, ndjson

JUNK = random.Random(1).randbytes(100_000)
MANY = ndjson(event(event_id=str(number), text=JUNK[number : number + 20].hex()) for number in range(2000))


def assert_fails(desk: Desk, path: Path, *words: str) -> None:
    """The file fails with a reason that says so, leaves nothing behind, and stops no other file."""
    good = desk.put("zz_good.ndjson", [event()])
    bad, fine = loading.load_paths(desk.warehouse, "events", [path, good])
    assert (bad.status, bad.rows_accepted) == ("failed", 0)
    for word in words:
        assert word in bad.reason
    assert "\n" not in bad.reason and ".." not in bad.reason
    assert (fine.status, fine.rows_accepted) == ("loaded", 1)
    assert [row["event_id"] for row in desk.rows()] == ["e1"]
    assert desk.remains() == 0


def test_a_file_that_cannot_be_read(desk: Desk) -> None:
    path = desk.folder / "secret.ndjson"
    if os.geteuid() == 0:  # root may read any file, but not this one from its start
        path.symlink_to("/proc/self/mem")
    else:
        desk.put(path.name, [event()]).chmod(0)
    assert_fails(desk, path, "cannot be read")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("notes.txt", "Dear all,\nplease find the events of November attached.\n", ("neither JSON", ".ndjson")),
        ("events.ndjson.sha256", "e3b0c44298fc1c149afbf4c8996fb924  events.ndjson\n", ("neither JSON", ".ndjson")),
        ("events.ndjson.gz", gzip.compress(MANY, mtime=0)[:-2000], ("cut off",)),
        ("events.ndjson.zst", zstandard.compress(MANY)[:-2000], ("cut off",)),
        ("damaged.ndjson.gz", b"\x1f\x8b\x08" + JUNK, ("damaged",)),
        ("damaged.ndjson.zst", b"\x28\xb5\x2f\xfd\xff" + JUNK, ("damaged",)),
        ("events.ndjson.bz2", bz2.compress(MANY), ("bzip2", ".zst")),
        ("junk.ndjson", JUNK, ("binary",)),
        ("junk.csv", b"\0" * 1000, ("binary",)),
        ("junk.parquet", JUNK, ("not Parquet",)),
        ("cut.parquet", b"PAR1" + JUNK, ("Parquet",)),
        ("zip.csv", b"PK\x03\x04\0\0\0\0" + JUNK, ("ZIP", "damaged")),
        ("empty.ndjson", b"", ("empty",)),
        ("empty.csv", b"", ("empty",)),
        ("empty.parquet", b"", ("empty",)),
        ("empty.json.gz", gzip.compress(b"", mtime=0), ("empty",)),
        ("headless.csv", "t,e7,click,2026-03-01 12:00:00,d\n", ("'t', 'e7', 'click'", "--map")),
        ("unknown.csv", "a;b;c\nt;click;1\n", ("no column", "'a', 'b', 'c'", "header")),
        ("twice.csv", "event,tenant_id,event\na,t,b\n", ("'event'", "more than once")),
        ("latin1-header.csv", "tenant_id,événement\nt,a\n".encode("latin-1"), ("UTF-8",)),
        ("wide.csv", f"tenant_id,{','.join(f'{number:050}' for number in range(3000))}\nt\n", ("too many columns",)),
        ("array.json", json.dumps([event(event_id="a"), event(event_id="b")])[:-20], ("JSON",)),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "",
)
def test_a_file_that_is_not_what_it_should_be(
    desk: Desk, name: str, content: bytes | str, words: tuple[str, ...]
) -> None:
    assert_fails(desk, desk.put(name, content), *words)


def test_several_whole_frames_are_a_whole_file(desk: Desk) -> None:
    one, two = ndjson([event(event_id="1")]), ndjson([event(event_id="2")])
    assert desk.load(desk.put("a.ndjson.gz", gzip.compress(one) + gzip.compress(two))).rows_accepted == 2
    assert desk.load(desk.put("b.ndjson.zst", zstandard.compress(two) + zstandard.compress(one))).rows_accepted == 2


@pytest.mark.parametrize(
    ("name", "content"), [("a.json", "[]"), ("a.csv", "tenant_id,event,timestamp\n"), ("a.ndjson", " \n\r\n")]
)
def test_a_file_without_rows_is_loaded_and_says_so(desk: Desk, name: str, content: str) -> None:
    result = desk.load(desk.put(name, content))
    assert (result.status, result.rows_accepted, result.rows_rejected) == ("loaded", 0, 0)
    assert "no rows" in result.reason


def test_rows_in_another_encoding_cost_only_themselves(desk: Desk) -> None:
    good, bad = json.dumps(event(event="café"), ensure_ascii=False), json.dumps(event(event="thé"), ensure_ascii=False)
    lines = good.encode() + b"\n" + bad.encode("latin-1") + b"\n" + ndjson([event(event_id="3")])
    result = desk.load(desk.put("mixed.ndjson", lines))
    assert (result.rows_accepted, result.rows_rejected) == (2, 1)
    assert [row["event"] for row in desk.rows()] == ["café", "click"]
    ((line, reason, _),) = desk.rejected()
    assert (line, reason) == (2, "not valid UTF-8")
    (original,) = desk.query("SELECT hex(original) AS bytes FROM rejected_rows")
    assert bytes.fromhex(original["bytes"]) == bad.encode("latin-1")


def test_rows_of_a_csv_file_in_another_encoding_cost_only_themselves(desk: Desk) -> None:
    header = b"tenant_id,event,timestamp,distinct_id,note\n"
    rows = ["t,a,2026-03-01,d,café\n".encode(), "t,b,2026-03-01,d,thé\n".encode("latin-1"), b"t,c,2026-03-01,d,\n"]
    wrong = "t,d,2026-03-01,d,thé,more\n".encode("latin-1")
    result = desk.load(desk.put("mixed.csv", header + b"".join(rows) + wrong))
    assert (result.rows_accepted, result.rows_rejected) == (2, 2)
    assert [row["event"] for row in desk.rows()] == ["a", "c"]
    assert [(line, reason) for line, reason, _ in desk.rejected()] == [
        (3, "not valid UTF-8"),
        (5, "6 cells where the header has 5"),
    ]
    originals = desk.query("SELECT hex(original) AS bytes FROM rejected_rows ORDER BY line")
    assert all(b"th\xe9" in bytes.fromhex(row["bytes"]) for row in originals)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.ndjson", ndjson([event()])),
        ("a.json", json.dumps([event()], indent=2).encode()),
        ("a.csv", b"tenant_id,event_id,event,timestamp,distinct_id\nt,e1,click,2026-03-01 12:00:00,d\n"),
    ],
)
def test_a_byte_order_mark_means_nothing(desk: Desk, name: str, content: bytes) -> None:
    assert desk.load(desk.put(name, b"\xef\xbb\xbf" + content)).rows_accepted == 1
    (row,) = desk.rows()
    assert (row["tenant_id"], row["event_id"], row["properties"]) == ("t", "e1", "{}")


@pytest.mark.parametrize("kind", ["ndjson", "json", "csv"])
def test_lines_of_ten_megabytes(desk: Desk, kind: str) -> None:
    long = "x" * 10_000_000
    rows = [event(event_id=name, note=long if name != "2" else "y") for name in ("1", "2", "3")]
    if kind == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        content = text.getvalue().encode()
    else:
        content = json.dumps(rows).encode() if kind == "json" else ndjson(rows)
    assert desk.load(desk.put(f"long.{kind}", content)).rows_accepted == 3
    lengths = desk.rows(columns="event_id, length(JSONExtractString(properties, 'note')) AS n")
    assert [(row["event_id"], row["n"]) for row in lengths] == [("1", 10_000_000), ("2", 1), ("3", 10_000_000)]


def test_a_long_bad_line_is_kept_whole(desk: Desk) -> None:
    bad = '{"note": "' + "x" * 10_000_000
    assert desk.load_rows(bad, event()).rows_accepted == 1
    assert desk.rejected() == [(1, "not readable as JSON", bad)]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_file_that_is_one_array(desk: Desk, indent: int | None) -> None:
    rows = [event(event_id=str(number), properties={"a": [1, {"b": "]"}]}) for number in range(3)] + [{"event": "x"}]
    result = desk.load(desk.put("array.json", json.dumps(rows, indent=indent)))
    assert (result.rows_accepted, result.rows_rejected) == (3, 1)
    assert [row["event_id"] for row in desk.rows()] == ["0", "1", "2"]
    assert [line for line, _, _ in desk.rejected()] == [4]


@pytest.mark.parametrize("indent", [None, 4])
def test_a_json_file_that_is_one_object(desk: Desk, indent: int | None) -> None:
    assert desk.load(desk.put("one.json", json.dumps(event(), indent=indent))).rows_accepted == 1


def test_an_ndjson_file_that_is_one_array_says_so(desk: Desk) -> None:
    result = desk.load(desk.put("array.ndjson", json.dumps([event()])))
    assert result.rows_accepted + result.rows_rejected == 1


def test_nulls_everywhere(desk: Desk) -> None:
    names = ["tenant_id", "event", "timestamp", "distinct_id", "event_id", "revenue", "properties", "gclid", "x"]
    desk.load_rows(dict.fromkeys(names), event(**dict.fromkeys(names[4:])), None, "null", {})
    assert [(line, reason) for line, reason, _ in desk.rejected()] == [
        (1, "no tenant"),
        (3, "not a JSON object with fields"),
        (4, "not a JSON object with fields"),
        (5, "not a JSON object with fields"),
    ]
    (row,) = desk.rows()
    assert (row["revenue"], row["click_ids"]) == (None, {})
    assert json.loads(row["properties"]) == {"x": None}
    assert len(row["event_id"]) == 32


@pytest.mark.parametrize("kind", ["lines", "array"])
def test_a_connection_that_breaks_in_the_middle_leaves_nothing_visible(
    desk: Desk, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [event(event_id=str(number), note="x" * 1000) for number in range(20_000)]
    path = desk.put("a.json", json.dumps(rows) if kind == "array" else ndjson(rows))

    def breaks(_path: Path, done: int) -> None:
        if done > 10_000_000:
            raise httpx.WriteError("broken pipe")

    result = desk.load(path, on_progress=breaks)
    assert result.status == "failed" and "nothing of it is visible" in result.reason
    assert desk.rows() == []
    again = desk.load(path)
    assert (again.status, again.rows_accepted, again.rows_duplicate) == ("loaded", 20_000, 0)
    assert desk.remains() == 0
