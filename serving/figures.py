"""The picture of a saved visualization: a Vega-Lite document over the rows of its query."""

from collections.abc import Sequence
from typing import Any

# By Okabe and Ito: colour-blind people can tell them apart.
_PALETTE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000"]

KINDS = ("line", "area", "bar", "pie", "number", "funnel", "heatmap", "table")


def figure(kind: str, title: str, columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The Vega-Lite document of a kind of picture; None for a table, which its rows are already.

    Raises ValueError for a kind that there is not. The data are in it, under `values`.
    """
    import altair as alt  # takes a second to import

    if kind not in KINDS:
        raise ValueError(f"its kind is {kind!r}; it can be {', '.join(KINDS)}")
    if kind == "table":
        return None
    chart = alt.Chart(alt.Data(values=list(rows)), title=title, width="container")
    figures = [column for column in columns if any(isinstance(row[column], int | float) for row in rows)]
    value = figures[-1] if figures else columns[-1]
    names = [column for column in columns if column not in figures and column != "period"]
    hover = [alt.Tooltip(f"{column}:{'Q' if column in figures else 'N'}") for column in columns]
    of_time = alt.X("period:T", title=None)
    if kind == "number":
        made = chart.mark_text(size=48).encode(text=alt.Text(f"{value}:Q", format=",.4~g"))
    elif kind == "pie":
        color = alt.Color(f"{(names or columns)[0]}:N", scale=alt.Scale(range=_PALETTE))
        made = chart.mark_arc().encode(theta=alt.Theta(f"{value}:Q", stack=True), color=color, tooltip=hover)
    elif kind == "funnel":
        x = alt.X("users_count:Q" if "users_count" in columns else f"{value}:Q")
        step = "step_name" if "step_name" in columns else (names or columns)[-1]
        y = alt.Y(f"{step}:N", sort=None, title=None)
        made = chart.mark_bar().encode(x=x, y=y, tooltip=hover)
    elif kind == "heatmap":
        is_retention = "period_number" in columns
        x = alt.X(f"{'period_number' if is_retention else columns[0]}:O")
        y = alt.Y(f"{'cohort_date' if is_retention else columns[1]}:O")
        color = alt.Color(f"{'retention_rate' if is_retention else value}:Q")
        made = chart.mark_rect().encode(x=x, y=y, color=color, tooltip=hover)
    else:
        x = of_time if "period" in columns else alt.X(f"{(names or columns)[0]}:N", sort=None, title=None)
        mark = {"line": chart.mark_line(point=True), "area": chart.mark_area(), "bar": chart.mark_bar()}[kind]
        series = [name for name in names if "period" in columns or name != names[0]]
        encoded = {"x": x, "y": alt.Y(f"{value}:Q"), "tooltip": hover}
        if series:
            encoded["color"] = alt.Color(f"{series[0]}:N", scale=alt.Scale(range=_PALETTE))
        made = mark.encode(**encoded)
    document: dict[str, Any] = made.to_dict()
    return document
