"""Every format says the same: types, lines and places come through."""

import datetime as dt
import decimal
import gzip
import io
import json
import uuid

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest import csv_rows, files, loading, unpacking
from tests.ingest.conftest import Desk, event, ndjson


def parquet(**columns: pa.Array) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, row_group_size=2)
    return sink.getvalue()


def base(count: int) -> dict[str, pa.Array]:
    rows = [event(event_id=str(number)) for number in range(count)]
    return {name: pa.array([row[name] for row in rows]) for name in rows[0]}


def test_parquet_keeps_its_types(desk: Desk) -> None:
    at = dt.datetime(2026, 3, 1, 12, 0, 0, 123456)
    name = uuid.uuid4()
    columns = base(2) | {
        "timestamp": pa.array([at, at], pa.timestamp("us", "America/New_York")),
        "revenue": pa.array([decimal.Decimal("12.50"), None], pa.decimal128(10, 2)),
        "is_identified": pa.array([True, None]),
        "count": pa.array([2**63, None], pa.uint64()),
        "share": pa.array([0.1, None], pa.float32()),
        "day": pa.array([at.date(), None]),
        "at": pa.array([at, None], pa.timestamp("ns")),
        "who": pa.array([{"it's": 1, "a`b": "x"}, {"it's": 2, "a`b": None}]),
        "list": pa.array([[1, 2], [3]]),
        "map": pa.array([[("k", "v")], []], pa.map_(pa.string(), pa.string())),
        "word": pa.array(["red", None]).dictionary_encode(),
        "name": pa.array([name.bytes, None], pa.uuid()),
        "nothing": pa.array([None, None]),
    }
    for path in (
        desk.put("a.parquet", parquet(**columns)),
        desk.put("b.parquet.gz", gzip.compress(parquet(**columns))),
    ):
        result = desk.load(path, tenant=path.name)  # another tenant: not the same content again
        assert (result.status, result.rows_accepted, result.reason) == ("loaded", 2, "")
    first, second, *_ = desk.rows(columns="*, toString(timestamp) AS sent")
    assert first["sent"] == "2026-03-01 12:00:00.123456"
    assert (first["revenue"], first["is_identified"], second["revenue"]) == (decimal.Decimal("12.5"), 1, None)
    assert json.loads(first["properties"]) == {
        "count": 2**63,
        "share": 0.1,
        "day": "2026-03-01",
        "at": "2026-03-01 12:00:00.123456000",
        "who": {"it's": 1, "a`b": "x"},
        "list": [1, 2],
        "map": {"k": "v"},
        "word": "red",
        "name": str(name),
    }


def test_a_null_in_parquet_is_absent_and_an_empty_value_is_not(desk: Desk) -> None:
    one = {"x": 1}
    columns = base(3) | {
        "list": pa.array([None, [], [1, None]]),
        "long list": pa.array([None, [], ["a"]], pa.large_list(pa.string())),
        "pair": pa.array([None, [1, 2], [3, None]], pa.list_(pa.int64(), 2)),
        "map": pa.array([None, [], [("k", "v")]], pa.map_(pa.string(), pa.string())),
        "struct": pa.array([None, {"x": None}, one]),
        "structs": pa.array([None, [], [one, {"x": None}]], pa.list_(pa.struct({"x": pa.int64()}))),
        "number": pa.array([None, 0, 1]),
    }
    desk.load(desk.put("a.parquet", parquet(**columns)))
    assert [json.loads(row["properties"]) for row in desk.rows()] == [
        {},
        {"list": [], "long list": [], "pair": [1, 2], "map": {}, "struct": {"x": None}, "structs": [], "number": 0},
        {
            "list": [1, None],
            "long list": ["a"],
            "pair": [3, None],
            "map": {"k": "v"},
            "struct": one,
            "structs": [one, {"x": None}],
            "number": 1,
        },
    ]


def test_parquet_properties_may_be_a_struct_or_text(desk: Desk) -> None:
    struct = base(1) | {"properties": pa.array([{"$browser": "Firefox", "n": 1}])}
    text = base(1) | {"payload": pa.array(['{"$browser": "Firefox", "n": 1}'])}
    desk.load(desk.put("a.parquet", parquet(**struct)))
    desk.load(desk.put("b.parquet", parquet(**text)), mapping={"properties": "payload"})
    rows = desk.rows()
    assert [row["browser"] for row in rows] == ["Firefox"] * 2
    assert [json.loads(row["properties"])["n"] for row in rows] == [1, 1]


def test_parquet_cut_in_the_middle_of_its_pages(desk: Desk) -> None:
    whole = parquet(**base(5000))
    damaged = whole[:200] + bytes(len(whole) - 4000) + whole[-3800:]
    result = desk.load(desk.put("a.parquet", damaged))
    assert result.status == "failed" and "Parquet" in result.reason
    assert desk.rows() == [] and desk.remains() == 0


def test_a_thousand_columns(desk: Desk) -> None:
    columns = base(1) | {f"column_{number}": pa.array([str(number)]) for number in range(1000)}
    cells = (str(column[0]) for column in columns.values())
    for path in (
        desk.put("a.parquet", parquet(**columns)),
        desk.put("b.csv", f"{','.join(columns)}\n{','.join(cells)}\n"),
    ):
        assert desk.load(path).rows_accepted == 1
    expected = {f"column_{number}": str(number) for number in range(1000)}
    assert [json.loads(row["properties"]) for row in desk.rows()] == [expected] * 2


@pytest.mark.parametrize("block", [1 << 20, 96])
def test_the_lines_of_a_csv_file(desk: Desk, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(csv_rows, "_BLOCK", block)
    lines = [
        "tenant_id,event_id,event,timestamp,distinct_id,note",
        "t,2,click,2026-03-01 12:00:00,d,plain",
        "",
        't,4,click,2026-03-01 12:00:00,d,"two\nlines"',
        "t,6,short",
        't,7,click,2026-03-01 12:00:00,d,"quoted, with ""quotes"""',
        't,8,click,2026-03-01 12:00:00,d,"x",too,"many\nby far"',
        "t,10,click,2026-03-01 12:00:00,,nobody",
        "t,11,click,2026-03-01 12:00:00,d,",
        "",
    ]
    result = desk.load(desk.put("a.csv", "\r\n".join(lines).replace("\r\nlines", "\nlines")))
    assert [(row["line"], row["event_id"]) for row in desk.rows()] == [
        (2, "2"), (4, "4"), (7, "7"), (10, "10"), (11, "11"),
    ]  # fmt: skip
    assert [json.loads(row["properties"]) for row in desk.rows()] == [
        {"note": "plain"}, {"note": "two\nlines"}, {"note": 'quoted, with "quotes"'}, {"note": "nobody"}, {},
    ]  # fmt: skip
    assert [(line, reason) for line, reason, _ in desk.rejected()] == [
        (6, "3 cells where the header has 6"),
        (8, "8 cells where the header has 6"),
    ]
    assert desk.rejected()[0][2] == "t,6,short"
    assert result.rows_rejected == 2


def test_a_map_must_name_columns_that_are_there(desk: Desk) -> None:
    path = desk.put("a.csv", "tenant_id,event,timestamp,person\nt,click,2026-03-01 12:00:00,p\n")
    result = desk.load(path, mapping={"distinct_id": "persno"})
    assert result.status == "failed" and "'persno'" in result.reason and "person" in result.reason
    assert desk.load(path, mapping={"distinct_id": "person"}).rows_accepted == 1


def test_a_mapped_column_may_have_no_value_in_any_row(desk: Desk) -> None:
    path = desk.put("a.csv", "tenant_id,event,timestamp,person,town\nt,click,2026-03-01 12:00:00,p,\n")
    assert desk.load(path, mapping={"distinct_id": "person", "city": "town"}).rows_accepted == 1
    rows = pa.table({**{name: [value] for name, value in event().items()}, "town": pa.nulls(1, pa.string())})
    pq.write_table(rows, desk.folder / "a.parquet")
    assert desk.load(desk.folder / "a.parquet", mapping={"city": "town"}).rows_accepted == 1


def test_a_big_file_goes_in_several_streams_and_every_line_keeps_its_number(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "CHUNK", 1000)
    monkeypatch.setattr(files, "_PART", 5000)
    monkeypatch.setattr(loading, "_PART", 20_000)
    rows = [event(event_id=str(number), note="é" * (number % 90)) for number in range(1, 1001)]
    text = ndjson(rows).replace(b'"t"', b'""', 1)
    path = desk.put("a.ndjson", text)
    assert len(files.parts(path, files.first_pass(path), 4)) == 4
    assert desk.load(path).rows_accepted == 999
    assert [(line, reason) for line, reason, _ in desk.rejected()] == [(1, "no tenant")]
    assert [(row["line"], row["event_id"]) for row in desk.rows()] == [(n, str(n)) for n in range(2, 1001)]
    # as one stream, without a line break at the end
    other = desk.load(desk.put("b.ndjson.gz", gzip.compress(text.rstrip(b"\n"))))
    assert (other.rows_accepted, other.rows_duplicate) == (999, 999)
