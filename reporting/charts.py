"""The chart that each frame of `frames` becomes: pure functions, from a pandas frame to an Altair chart."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

# Two blues of the palette by Okabe and Ito: colour-blind people can tell them apart, and so can a grey printer.
_DARK, _LIGHT = "#0072B2", "#9CCFEE"
_WIDTH = 330
_Panel = alt.Chart | alt.LayerChart | alt.FacetChart
_MODELS = {
    "first": "First touch",
    "last": "Last touch",
    "linear": "Linear",
    "position": "Position",
    "time_decay": "Time decay",
}


def sessions(frame: pd.DataFrame) -> alt.TopLevelMixin:
    """Sessions per day, a panel per tenant with a scale of its own; takes `frames.sessions_per_day`."""
    title = "Sessions per day"
    if frame.empty:
        return _empty(title)
    first, last = frame["date"].min(), frame["date"].max()
    shown = _by_visitor(frame, ["tenant", "date"], "sessions")
    days = alt.Scale(domain=[_date(first), _date(last + pd.Timedelta(days=1))])
    ticks = alt.TimeIntervalStep(interval="day", step=1 + (last - first).days // 5)
    panels = [
        alt.Chart(part, title=_short(str(tenant), 45), width=_WIDTH, height=90)
        .mark_bar()
        .encode(
            x=alt.X("date:T", timeUnit="yearmonthdate", scale=days, title=None).axis(format="%-d %b", tickCount=ticks),
            y=alt.Y("sessions:Q", title="Sessions").axis(tickCount=3, format=",d", tickMinStep=1, minExtent=40),
            color=_VISITOR,
            order=_STACKED,
        )
        for tenant, part in shown.groupby("tenant", sort=False)
    ]
    return _page(panels, title, f"{_days(first, last)}, the largest tenants first; each panel has its own scale")


def funnels(frame: pd.DataFrame) -> alt.TopLevelMixin:
    """How far people get in each funnel, a panel per tenant and funnel; takes `frames.funnel_reach`."""
    title = "How far people get in their funnels"
    if frame.empty:
        return _empty(title)
    most = frame.groupby(["tenant", "funnel"])["entries"].transform("max").clip(lower=1)
    shown = frame.assign(
        step=[_short(f"{n}  {name}", 28) for n, name in zip(frame["step_number"], frame["step_name"], strict=True)],
        share=frame["entries"] / most,
        label=[f"{entries:,}  ({entries / top:.0%})" for entries, top in zip(frame["entries"], most, strict=True)],
    )
    panels = []
    for (tenant, funnel), part in shown.groupby(["tenant", "funnel"], sort=False):
        days = _days(part["first_date"].min(), part["last_date"].max())
        base = alt.Chart(part).encode(
            x=alt.X("share:Q", title=None, axis=None, scale=alt.Scale(domain=[0, 1.4])),
            y=alt.Y("step:N", title=None, sort=part["step"].tolist()).axis(ticks=False, domain=False),
        )
        panels.append(
            alt.layer(base.mark_bar(color=_DARK), base.mark_text(align="left", dx=4).encode(text="label:N")).properties(
                title=alt.Title(
                    _short(f"{tenant}: {funnel}", 45),
                    subtitle=f"Entered {days}"
                    if part["is_settled"].all()
                    else f"Entered {days}, people may still go on",
                ),
                width=_WIDTH - 110,
                height=alt.Step(22),
            )
        )
    return _page(panels, title, "Entries that reached each step, and their share of the step that most reached")


def retention(frame: pd.DataFrame) -> alt.TopLevelMixin:
    """Who came back, a triangle per definition; takes `frames.retention_triangles`."""
    title = "Who came back"
    if frame.empty:
        return _empty(title)
    shown = frame.assign(
        row=[
            f"{cohort:%Y-%m-%d}  ({people:,})" for cohort, people in zip(frame["cohort"], frame["people"], strict=True)
        ]
    )
    top = max(shown["retained"].max(), 0.01)
    panels = []
    for definition, part in shown.groupby("definition", sort=False):
        base = alt.Chart(part).encode(
            x=alt.X("period:O", title="Periods later").axis(labelAngle=0, orient="top", ticks=False, domain=False),
            y=alt.Y("row:N", title=None).axis(ticks=False, domain=False),
        )
        cells = base.mark_rect().encode(
            color=alt.Color("retained:Q", title="Came back").scale(scheme="blues", domain=[0, top]).legend(format="%")
        )
        shares = base.mark_text(fontSize=10).encode(
            text=alt.Text("retained:Q", format=".0%"),
            color=alt.condition(alt.datum.retained > top * 0.55, alt.value("white"), alt.value("#222222")),
        )
        panels.append(
            alt.layer(cells, shares).properties(
                title=_short(str(definition), 45), width=alt.Step(28), height=alt.Step(18)
            )
        )
    subtitle = (
        "Of the people whose cohort began on a day, the share that came back in a later period; all tenants together"
    )
    return _page(panels, title, subtitle)


def attribution(frame: pd.DataFrame) -> alt.TopLevelMixin:
    """Which channels are credited with the conversions, a panel per model; takes `frames.credit_by_channel`."""
    title = "Which channels led to conversions"
    if frame.empty:
        return _empty(title)
    channels = frame.groupby("channel")["conversions"].sum().sort_values(ascending=False).index.tolist()
    top = frame["share"].max()
    panels = []
    for place, (model, name) in enumerate(_MODELS.items()):
        base = alt.Chart(frame[frame["model"] == model]).encode(
            x=alt.X("share:Q", title=None, axis=None, scale=alt.Scale(domain=[0, top * 1.5])),
            y=alt.Y("channel:N", title=None, scale=alt.Scale(domain=channels)).axis(
                labels=place == 0, ticks=False, domain=False
            ),
        )
        panels.append(
            alt.layer(
                base.mark_bar(color=_DARK),
                base.mark_text(align="left", dx=3).encode(text=alt.Text("share:Q", format=".0%")),
            ).properties(title=name, width=115, height=alt.Step(20))
        )
    conversions = round(frame["conversions"].sum() / frame["model"].nunique())
    subtitle = f"Share of the {conversions:,} conversions of the latest four weeks under each model, all tenants"
    return _page(panels, title, subtitle, columns=len(panels), spacing=12)


def identities(frame: pd.DataFrame) -> alt.TopLevelMixin:
    """How many ids people have; takes `frames.ids_per_person`."""
    title = "How many ids a person has"
    if frame.empty:
        return _empty(title)
    people = frame["identified"] + frame["anonymous"]
    total = people.sum()
    labels = frame.assign(people=people, label=[f"{count:,}  ({count / total:.1%})" for count in people])
    count = alt.X("people:Q", axis=None, scale=alt.Scale(domain=[0, people.max() * 1.3]))
    ids = alt.Y("ids:N", title="Ids of the person", sort=frame["ids"].tolist()).axis(ticks=False, domain=False)
    bars = (
        alt.Chart(_by_visitor(frame, ["ids"], "people"))
        .mark_bar()
        .encode(x=count, y=ids, color=_VISITOR, order=_STACKED)
    )
    texts = alt.Chart(labels).mark_text(align="left", dx=4).encode(x=count, y=ids, text="label:N")
    panel = alt.layer(bars, texts).properties(width=_WIDTH * 1.5, height=alt.Step(24))
    return _page(
        [panel], title, f"The {total:,} people whom the last build wrote: new, active or with other ids; all tenants"
    )


_VISITOR = alt.Color("visitor:N", title=None, sort=["identified", "anonymous"]).scale(
    domain=["identified", "anonymous"], range=[_DARK, _LIGHT]
)
# The darker colour is at the bottom.
_STACKED = alt.Order("visitor:N", sort="descending")


def _by_visitor(frame: pd.DataFrame, keys: Sequence[str], value: str) -> pd.DataFrame:
    return frame.melt([*keys], ["identified", "anonymous"], var_name="visitor", value_name=value)


def _page(
    panels: Sequence[_Panel], title: str, subtitle: str, columns: int = 2, spacing: int = 24
) -> alt.TopLevelMixin:
    return (
        alt.concat(
            *panels,
            columns=columns,
            spacing=spacing,
            title=alt.Title(title, subtitle=subtitle, anchor="start", fontSize=16, subtitleFontSize=12, offset=14),
        )
        .configure(padding=12, background="white")
        .configure_view(stroke=None)
        .configure_axis(gridColor="#E5E5E5", labelFontSize=11, titleFontSize=11, titleFontWeight="normal")
        .configure_legend(orient="top", labelFontSize=12)
        .configure_title(anchor="start", fontSize=12, subtitleFontSize=11, subtitleColor="#555555")
        .configure_text(fontSize=11)
    )


def _empty(title: str) -> alt.TopLevelMixin:
    nothing = alt.Chart(pd.DataFrame({"text": ["The table has no rows yet."]}), width=_WIDTH, height=40)
    return _page([nothing.mark_text().encode(text="text:N")], title, "")


def _short(text: str, longest: int) -> str:
    # Vega can shorten labels too, and takes a second for a funnel of ten steps.
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _days(first: pd.Timestamp, last: pd.Timestamp) -> str:
    return f"{first:%Y-%m-%d}" if first == last else f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"


def _date(day: pd.Timestamp) -> alt.DateTime:
    return alt.DateTime(year=day.year, month=day.month, date=day.day)
