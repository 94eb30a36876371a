"""What is shown of a published table: one chart of its latest state, and a small table."""

from collections.abc import Callable
from dataclasses import dataclass

import altair as alt
import pandas as pd
from clickhouse_connect.driver.client import Client

from reporting import charts, frames
from reporting.png import render

_Frame = Callable[[Client], pd.DataFrame]

# table: the frame of its chart, the chart, the frame of its small table
_PICTURES: dict[str, tuple[_Frame, Callable[[pd.DataFrame], alt.TopLevelMixin], _Frame]] = {
    "session_stats_daily": (frames.sessions_per_day, charts.sessions, frames.sessions_by_tenant),
    "funnel_conversions_daily": (frames.funnel_reach, charts.funnels, frames.funnels_by_tenant),
    "retention": (frames.retention_triangles, charts.retention, frames.retention_by_definition),
    "attribution_credit": (frames.credit_by_channel, charts.attribution, frames.conversions_by_tenant),
    "identities": (frames.ids_per_person, charts.identities, frames.people_by_tenant),
}


@dataclass(frozen=True)
class Picture:
    """The chart as a PNG file's content, and the rows of the small table; none if there is nothing to show."""

    png: bytes
    rows: list[dict[str, str | int | float]]


def picture_of(client: Client, table: str) -> Picture:
    """Draw one of the tables `reporting.PICTURED`; the client's default database must hold it."""
    frame, chart, rows = _PICTURES[table]
    return Picture(png=render(chart(frame(client))), rows=_rows(rows(client)))


def draw_nothing() -> None:
    """Draw an empty chart for nobody: the first picture of a process takes longest, whatever it shows."""
    render(charts.identities(pd.DataFrame()))


def _rows(frame: pd.DataFrame) -> list[dict[str, str | int | float]]:
    # A value that does not exist is empty text: tables of Dagster know no null.
    plain = frame.astype(object).where(frame.notna(), "")
    return [{str(column): value for column, value in row.items()} for row in plain.to_dict(orient="records")]
