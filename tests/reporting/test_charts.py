"""What a chart shows, read off its specification."""

import struct
import subprocess
import sys
import zlib
from typing import Any

import altair as alt
import pandas as pd
import pytest
import vl_convert

from reporting import charts
from reporting.png import render

ALL = [charts.sessions, charts.funnels, charts.retention, charts.attribution, charts.identities]


def panels(chart: alt.TopLevelMixin) -> list[dict[str, Any]]:
    return chart.to_dict()["concat"]


def rows(chart: alt.TopLevelMixin, panel: int) -> list[dict[str, Any]]:
    spec = chart.to_dict()
    part = spec["concat"][panel]
    # Altair says what parts share once, further out.
    data = part.get("data") or part.get("layer", [{}])[0].get("data") or spec["data"]
    return spec["datasets"][data["name"]]


def days(*values: str) -> "pd.Series[pd.Timestamp]":
    return pd.Series(pd.to_datetime(list(values)))


def test_sessions_have_a_panel_per_tenant_in_the_order_of_the_frame() -> None:
    chart = charts.sessions(
        pd.DataFrame(
            {
                "tenant": ["zoe", "zoe", "ann"],
                "date": days("2026-03-01", "2026-03-09", "2026-03-02"),
                "identified": [1, 2, 3],
                "anonymous": [4, 5, 6],
            }
        )
    )
    assert [panel["title"] for panel in panels(chart)] == ["zoe", "ann"]
    assert [(row["visitor"], row["sessions"]) for row in rows(chart, 1)] == [("identified", 3), ("anonymous", 6)]
    # All panels show the same days, also those without a session; the last one to its end.
    assert [panel["encoding"]["x"]["scale"]["domain"] for panel in panels(chart)] == [
        [{"year": 2026, "month": 3, "date": 1}, {"year": 2026, "month": 3, "date": 10}]
    ] * 2
    assert "2026-03-01 to 2026-03-09" in chart.to_dict()["title"]["subtitle"]


def test_funnels_say_entries_and_shares_and_whether_people_may_still_go_on() -> None:
    chart = charts.funnels(
        pd.DataFrame(
            {
                "tenant": ["t", "t", "t"],
                "funnel": ["buy", "buy", "ask"],
                "step_number": [1, 2, 1],
                "step_name": ["Looked", "Bought something that has a very long name", "Asked"],
                "entries": [1200, 300, 0],
                "is_settled": [1, 1, 0],
                "first_date": days("2026-03-01", "2026-03-01", "2026-03-05"),
                "last_date": days("2026-03-02", "2026-03-02", "2026-03-05"),
            }
        )
    )
    assert [panel["title"] for panel in panels(chart)] == [
        {"text": "t: buy", "subtitle": "Entered 2026-03-01 to 2026-03-02"},
        {"text": "t: ask", "subtitle": "Entered 2026-03-05, people may still go on"},
    ]
    assert [row["label"] for row in rows(chart, 0)] == ["1,200  (100%)", "300  (25%)"]
    assert [row["step"] for row in rows(chart, 0)] == ["1  Looked", "2  Bought something that ha…"]
    assert rows(chart, 1)[0]["label"] == "0  (0%)"


def test_retention_has_a_triangle_per_definition_with_the_size_of_each_cohort() -> None:
    chart = charts.retention(
        pd.DataFrame(
            {
                "definition": ["daily", "daily", "weekly"],
                "cohort": days("2026-03-01", "2026-03-01", "2026-02-23"),
                "people": [1500, 1500, 20],
                "period": [1, 2, 1],
                "retained": [0.5, 0.25, 0.0],
            }
        )
    )
    assert [panel["title"] for panel in panels(chart)] == ["daily", "weekly"]
    assert [row["row"] for row in rows(chart, 0)] == ["2026-03-01  (1,500)"] * 2
    # One scale of colours, so that triangles can be compared.
    assert {tuple(panel["layer"][0]["encoding"]["color"]["scale"]["domain"]) for panel in panels(chart)} == {(0, 0.5)}


def test_attribution_has_a_panel_per_model_with_the_same_channels() -> None:
    chart = charts.attribution(
        pd.DataFrame(
            {
                "model": ["first", "first", "last"],
                "channel": ["Email", "Direct", "Direct"],
                "conversions": [1.0, 3.0, 4.0],
                "share": [0.25, 0.75, 1.0],
            }
        )
    )
    assert [panel["title"] for panel in panels(chart)] == [
        "First touch", "Last touch", "Linear", "Position", "Time decay",
    ]  # fmt: skip
    assert {tuple(panel["layer"][0]["encoding"]["y"]["scale"]["domain"]) for panel in panels(chart)} == {
        ("Direct", "Email")
    }
    assert "Share of the 4 conversions" in chart.to_dict()["title"]["subtitle"]


def test_identities_say_how_many_people_have_how_many_ids() -> None:
    chart = charts.identities(pd.DataFrame({"ids": ["1", "2"], "identified": [0, 1000], "anonymous": [3000, 0]}))
    labels = chart.to_dict()["datasets"][panels(chart)[0]["layer"][1]["data"]["name"]]
    assert [row["label"] for row in labels] == ["3,000  (75.0%)", "1,000  (25.0%)"]
    assert chart.to_dict()["title"]["subtitle"].startswith("The 4,000 people")


@pytest.mark.parametrize("chart", ALL)
def test_without_rows_a_chart_says_so(chart: Any) -> None:
    empty = chart(pd.DataFrame())
    assert [row["text"] for row in rows(empty, 0)] == ["The table has no rows yet."]


def test_a_picture_is_the_same_image_in_fewer_bytes() -> None:
    chart = charts.identities(pd.DataFrame({"ids": ["1", "2"], "identified": [0, 1000], "anonymous": [3000, 0]}))
    drawn = vl_convert.vegalite_to_png(chart.to_dict(), scale=1)
    rendered = render(chart)
    assert len(rendered) < len(drawn) / 2
    assert pixels(rendered) == pixels(drawn)


def pixels(png: bytes) -> tuple[bytes, bytes]:
    """Header and pixels of a PNG file; raises if a checksum is wrong."""
    at, header, data = 8, b"", b""
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", png, at + 8 + length) == (zlib.crc32(kind + content),)
        header += content if kind == b"IHDR" else b""
        data += content if kind == b"IDAT" else b""
        at += length + 12
    return header, zlib.decompress(data)


def test_no_picture_fetches_anything() -> None:
    chart = alt.Chart(alt.UrlData("http://127.0.0.1:1/data.json")).mark_bar().encode(x="a:Q")
    with pytest.raises(ValueError, match="External data url not allowed"):
        render(chart)


def test_what_draws_is_imported_when_something_is_drawn() -> None:
    code = "import sys, orchestration.definitions; print({'altair', 'vl_convert', 'pandas'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "set()"
