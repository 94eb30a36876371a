"""Saved queries: forms, never SQL. A form is checked, and compiled from fixed pieces (metrics.yml, and the endpoints
for funnels and retention); its values travel as parameters, and the tenant is the one whose row the form stands in.
"""

from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import orjson
import yaml
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from serving.pipes import pipes

# A form asks for so many days and rows at most.
MOST_DAYS = 400
MOST_ROWS = 10_000

_FILE = Path(__file__).with_name("metrics.yml")
_PERIODS = {"day": "{date}", "week": "toMonday({date})", "month": "toStartOfMonth({date})"}
_AS_OF = "(select max(as_of_date) from tenants where tenant_id = {tenant:String})"


class NoQuery(ValueError):
    """A form that cannot be answered; its text says why."""


class Table(BaseModel):
    """A table that figures come from: its column of days, an expression for hours, and what it can be asked by."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(alias="from")
    date: str
    hour: str = ""
    dimensions: dict[str, str]


class Metric(BaseModel):
    """A figure: the table that it comes from, and the expression that it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str
    expression: str = Field(alias="is")


@cache
def registry() -> tuple[dict[str, Table], dict[str, Metric]]:
    """The tables and metrics of metrics.yml."""
    content = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    tables = {name: Table(**table) for name, table in content["tables"].items()}
    return tables, {name: Metric(**metric) for name, metric in content["metrics"].items()}


class Range(BaseModel):
    """The last `days` days that end with the tenant's as_of_date; or `from` and `to`, both included."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    days: int | None = Field(None, ge=1, le=MOST_DAYS)
    first: date | None = Field(None, alias="from")
    last: date | None = Field(None, alias="to")

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.days is None) == (self.first is None or self.last is None):
            raise ValueError("a range is {days} or {from, to}")
        if self.first and self.last and not 0 <= (self.last - self.first).days < MOST_DAYS:
            raise ValueError(f"a range has 1 to {MOST_DAYS} days")
        return self


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Words = Annotated[list[str], BeforeValidator(_listed), Field(max_length=100)]
_Range = Annotated[Range, Field(validation_alias=AliasChoices("range", "timeRange", "time_range"))]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")

    range: _Range = Range(days=30)


class Trend(_Form):
    """A metric over time, by up to two dimensions."""

    metric: str
    interval: Literal["hour", "day", "week", "month"] = "day"
    breakdown: Annotated[list[str], BeforeValidator(_listed), Field(max_length=2)] = []
    filters: dict[str, Words] = {}


class Top(_Form):
    """What has the most of a metric, by a dimension."""

    metric: str
    dimension: str
    filters: dict[str, Words] = {}
    limit: int = Field(10, ge=1, le=MOST_ROWS)


class Rows(_Form):
    """Several metrics of one table, by up to two dimensions."""

    metrics: Annotated[list[str], Field(min_length=1, max_length=10)]
    dimensions: Annotated[list[str], BeforeValidator(_listed), Field(min_length=1, max_length=2)]
    filters: dict[str, Words] = {}
    limit: int = Field(100, ge=1, le=MOST_ROWS)


class Funnel(_Form):
    """How far people came in a funnel that is defined."""

    funnel_id: str


class Retention(_Form):
    """How many people came back, by a retention that is defined."""

    retention_id: str


class Attribution(_Form):
    """What channels, or campaigns, brought, by a model of attribution."""

    model: Literal["first", "last", "linear", "position", "time_decay"] = "last"
    group_by: Literal["channel", "utm_source", "utm_medium", "utm_campaign"] = "channel"


FORMS: dict[str, type[_Form]] = {
    "trend": Trend, "top": Top, "table": Rows, "funnel": Funnel, "retention": Retention, "attribution": Attribution,
}  # fmt: skip


class Compiled(BaseModel):
    """A query with its parameters; `columns` are its columns, the last ones its figures."""

    sql: str
    parameters: dict[str, Any]
    columns: list[str]


def compiled(tenant: str, query_type: str, params: str) -> Compiled:
    """The query of a form. `params` is JSON; without a type of its own the form says which it is, as `type`.

    Raises NoQuery for whatever is no form.
    """
    try:
        values = orjson.loads(params or "{}")
    except orjson.JSONDecodeError as error:
        raise NoQuery(f"its parameters are no JSON: {error}") from None
    if not isinstance(values, dict):
        raise NoQuery("its parameters are no JSON object")
    kind = query_type or str(values.pop("type", "")) or ("trend" if "metric" in values else "")
    values.pop("type", None)
    if kind not in FORMS:
        raise NoQuery(f"its type is {kind!r}; it can be {', '.join(FORMS)}")
    try:
        form = FORMS[kind].model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise NoQuery(f"{'.'.join(map(str, first['loc'])) or kind}: {first['msg']}") from None
    return _compile(tenant, form)


def _compile(tenant: str, form: _Form) -> Compiled:
    if isinstance(form, Funnel):
        return _of_pipe("funnel", tenant, form.range, {"funnel_id": form.funnel_id})
    if isinstance(form, Retention):
        return _of_pipe("retention", tenant, form.range, {"retention_id": form.retention_id, "limit": MOST_ROWS})
    if isinstance(form, Attribution):
        return _attribution(tenant, form)
    if isinstance(form, Trend):
        _, table = _metric_and_table(form.metric)
        periods = _PERIODS | ({"hour": table.hour} if table.hour else {})
        if form.interval not in periods:
            raise NoQuery(f"{form.metric} has no hours; its intervals are {', '.join(periods)}")
        period = periods[form.interval].format(date=table.date)
        return _select(tenant, form, [form.metric], form.breakdown, period, MOST_ROWS)
    if isinstance(form, Top):
        return _select(tenant, form, [form.metric], [form.dimension], "", form.limit)
    assert isinstance(form, Rows)
    return _select(tenant, form, form.metrics, form.dimensions, "", form.limit)


def _metric_and_table(name: str) -> tuple[Metric, Table]:
    tables, metrics = registry()
    if name not in metrics:
        raise NoQuery(f"there is no metric {name!r}; there are {', '.join(metrics)}")
    return metrics[name], tables[metrics[name].table]


def _select(
    tenant: str, form: Trend | Top | Rows, metrics: list[str], dimensions: list[str], period: str, limit: int
) -> Compiled:
    """One SELECT from one table: by period (if there is one) and dimensions, figures behind them."""
    of_table = {_metric_and_table(name)[0].table for name in metrics}
    if len(of_table) > 1:
        raise NoQuery(f"{' and '.join(metrics)} come from different tables")
    _, table = _metric_and_table(metrics[0])
    for name in (*dimensions, *form.filters):
        if name not in table.dimensions:
            raise NoQuery(f"{metrics[0]} cannot be asked by {name!r}; by {', '.join(table.dimensions)} it can")
    days, parameters = _days(table.date, form.range)
    keys = ([f"{period} as period"] if period else []) + [f"{table.dimensions[name]} as {name}" for name in dimensions]
    figures = [f"{_metric_and_table(name)[0].expression} as {name}" for name in metrics]
    conditions = ["tenant_id = {tenant:String}", *days]
    for number, (name, values) in enumerate(form.filters.items()):
        conditions.append(f"{table.dimensions[name]} in {{filter_{number}:Array(String)}}")
        parameters[f"filter_{number}"] = values
    columns = (["period"] if period else []) + dimensions + metrics
    by = [str(position) for position in range(1, len(keys) + 1)]
    order = by if period else [f"{len(keys) + 1} desc", *by]
    sql = (
        f"select {', '.join([*keys, *figures])} from {table.source} where {' and '.join(conditions)}"  # noqa: S608
        f" group by {', '.join(by)} order by {', '.join(order)} limit {{limit:UInt32}}"
    )
    return Compiled(sql=sql, parameters={"tenant": tenant, "limit": limit} | parameters, columns=columns)


def _attribution(tenant: str, form: Attribution) -> Compiled:
    days, parameters = _days("toDate(conversion_at)", form.range)
    sql = (
        f"select {form.group_by}, sum(credit) as conversions, toFloat64(sum(credited_revenue)) as revenue"  # noqa: S608
        f" from attribution_credit where tenant_id = {{tenant:String}} and model = {{model:String}}"
        f" and {' and '.join(days)} group by 1 order by 2 desc, 1 limit {{limit:UInt32}}"
    )
    parameters |= {"tenant": tenant, "model": form.model, "limit": MOST_ROWS}
    return Compiled(sql=sql, parameters=parameters, columns=[form.group_by, "conversions", "revenue"])


def _of_pipe(name: str, tenant: str, days: Range, values: dict[str, Any]) -> Compiled:
    """The query of an endpoint. The last days end where the tenant's data does, which the endpoint leaves open."""
    pipe = pipes()[name]
    parameters: dict[str, Any] = {"location_id": tenant, "date_from": None, "date_to": None} | values
    sql = pipe.query(order="DESC", id_type="user_id")
    if days.days is None:
        parameters |= {"date_from": f"{days.first} 00:00:00", "date_to": f"{days.last} 23:59:59.999999"}
    else:
        first = f"toDateTime64({_AS_OF} - {{days:UInt16}} + 1, 6, 'UTC')"
        sql = sql.replace("{date_from:Nullable(DateTime64(6, 'UTC'))}", first)
        parameters |= {"tenant": tenant, "days": days.days}
        del parameters["date_from"]
    return Compiled(sql=sql, parameters=parameters, columns=pipe.columns)


def _days(column: str, days: Range) -> tuple[list[str], dict[str, Any]]:
    if days.days is not None:
        return [f"{column} > {_AS_OF} - {{days:UInt16}}", f"{column} <= {_AS_OF}"], {"days": days.days}
    return (
        [f"{column} >= {{first_day:Date}}", f"{column} <= {{last_day:Date}}"],
        {"first_day": str(days.first), "last_day": str(days.last)},
    )
