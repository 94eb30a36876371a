"""Files of the home without the rows of somebody, in every kind that is rewritten: the others are read as before."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from privacy import search
from privacy.landed_files import lines_of, take_out

NDJSON = b'{"distinct_id":"bob"}\n{"distinct_id":"eve"}\n{"distinct_id":"amy"}\n'
CSV = b'distinct_id,note\nbob,"two\nlines"\neve,"of\nher own"\namy,\n'


def packed(text: bytes, name: str) -> bytes:
    if name.endswith(".gz"):
        return gzip.compress(text)
    return pa.compress(text, codec="zstd", asbytes=True) if name.endswith(".zst") else text


@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
@pytest.mark.parametrize(
    ("name", "text", "line", "left"),
    [
        ("a.ndjson", NDJSON, 2, NDJSON.replace(b'{"distinct_id":"eve"}', b"")),
        # a line ends where its reader says so: between the fields of a row a carriage return is a blank
        (
            "a.ndjson",
            b'{"distinct_id":"bob",\r"a":1}\n{"distinct_id":"eve"}\n',
            2,
            b'{"distinct_id":"bob",\r"a":1}\n\n',
        ),
        ("a.csv", CSV, 4, CSV.replace(b'eve,"of\nher own"', b"\n")),
        ("a.tsv", CSV.replace(b",", b"\t"), 4, CSV.replace(b'eve,"of\nher own"', b"\n").replace(b",", b"\t")),
    ],
)
def test_a_row_goes_with_all_its_lines_and_the_others_keep_theirs(
    tmp_path: Path, name: str, text: bytes, line: int, left: bytes, packing: str
) -> None:
    path = tmp_path / (name + packing)
    path.write_bytes(packed(text, path.name))
    assert [found.rows for found in search.in_files(tmp_path, "shop", ["eve"])] == [1]
    assert take_out(path, {line})
    assert b"".join(lines_of(path)) == left
    assert list(search.in_files(tmp_path, "shop", ["eve"])) == []
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_of_parquet_the_other_rows_stay_as_they_are(tmp_path: Path) -> None:
    table = pa.table({
        "distinct_id": ["bob", "eve", "amy"],
        "at": pa.array([1, 2, None], pa.timestamp("us", "UTC")),
        "properties": [{"a": [1]}, {"a": [2]}, None],
    })  # fmt: skip
    path = tmp_path / "a.parquet"
    pq.write_table(table, path)
    assert [found.rows for found in search.in_files(tmp_path, "shop", ["eve"])] == [1]
    assert take_out(path, {2})
    assert pq.read_table(path).equals(table.take([0, 2]))
    assert list(search.in_files(tmp_path, "shop", ["eve"])) == []


def test_what_is_not_rewritten_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    text = b'[\n {"distinct_id": "bob"},\n {"distinct_id": "eve"}\n]\n'
    path.write_bytes(text)
    assert not take_out(path, {2})
    assert path.read_bytes() == text
