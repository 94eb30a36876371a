"""What people of a product saved, answered: forms become figures of their own tenant; what is no form is told."""

from typing import Any

import pytest

from serving.figures import KINDS, figure
from serving.queries import MOST_DAYS, NoQuery, compiled
from tests.cli.conftest import footfall_of
from tests.serving.conftest import CANARY, Service


def rows(service: Service, query: str) -> list[tuple[Any, ...]]:
    answer = service.get(f"queries/{query}")
    assert answer.status_code == 200, answer.text
    content = answer.json()
    return [tuple(row[column] for column in content["columns"]) for row in content["data"]]


def test_a_trend_is_of_the_days_that_end_with_the_last_sync(service: Service) -> None:
    # the 1st is eight days before the 8th
    assert rows(service, "views") == [("2026-03-02", 2), ("2026-03-04", 1), ("2026-03-05", 1), ("2026-03-07", 1)]
    assert rows(service, "hours") == [("2026-03-02 10:00:00", 2)]


def test_forms_of_each_kind(service: Service) -> None:
    assert sum(count for _, count in rows(service, "channels")) == 4
    assert rows(service, "devices") == [("Mobile", 1, 0)]
    assert [row[3] for row in rows(service, "funnel")] == [2, 1, 1]
    assert [row[3:5] for row in rows(service, "weeks")] == [(2, 2)]
    assert [row[1:] for row in rows(service, "credit")] == [(1, 30)]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("sql", "there is no metric 'count() from users --'"),
        ("other tenant", "tenant_id: Extra inputs are not permitted"),
        ("raw sql", "its type is 'sql'; it can be trend, top, table, funnel, retention, attribution"),
    ],
)
def test_what_is_no_form_is_not_answered(service: Service, query: str, says: str) -> None:
    answer = service.get(f"queries/{query}")
    assert answer.status_code == 422 and says in answer.json()["error"]


def test_nobody_elses_are_found(service: Service) -> None:
    for path in ("queries/theirs", "dashboards/d2", "visualizations/nothing"):
        assert service.get(path).status_code == 404
    answer = service.http.get(f"{service.address}/v0/queries/views.json", params={"location_id": "shop"})
    assert answer.status_code == 401
    headers = {"Authorization": f"Bearer {service.keys['rival']}"}
    answer = service.http.get(
        f"{service.address}/v0/queries/views.json", params={"location_id": "shop"}, headers=headers
    )
    assert answer.status_code == 403
    assert service.http.get(f"{service.address}/v0/queries/views.json", headers=headers).status_code == 400
    seen = service.get("queries/theirs", "rival")
    assert seen.status_code == 200 and CANARY in seen.text


def test_a_dashboard_has_every_picture_or_its_problem(service: Service) -> None:
    answer = service.get("dashboards/d1")
    content = answer.json()
    assert CANARY not in answer.text
    assert (content["name"], content["layout"]) == ("Sales", [{"w": 2}])
    widgets = {widget["id"]: widget for widget in content["widgets"]}
    assert {name for name, widget in widgets.items() if widget["problem"]} == {"v-sql", "v-theirs", "v-credit"}
    assert "it can be line, area" in widgets["v-credit"]["problem"]
    assert widgets["v-views"]["figure"]["mark"] == {"type": "line", "point": True}
    assert widgets["v-views"]["figure"]["data"]["values"] == widgets["v-views"]["data"]
    assert widgets["v-devices"]["figure"] is None and widgets["v-devices"]["data"]
    assert widgets["own"]["data"] == [{"period": "2026-03-01", "users": 2}]
    again = service.get("visualizations/v-views")
    assert again.json() == widgets["v-views"]
    headers = {"Authorization": f"Bearer {service.keys['shop']}", "If-None-Match": again.headers["ETag"]}
    address = f"{service.address}/v0/visualizations/v-views.json"
    assert service.http.get(address, params={"location_id": "shop"}, headers=headers).status_code == 304
    assert service.get("visualizations/v-sql").status_code == 422


def test_the_command_lists_and_runs_them(service: Service) -> None:
    footfall = footfall_of(service.warehouse)
    listed = footfall("queries", "list", "--tenant", "shop")
    assert listed.returncode == 1 and "3 saved queries cannot be answered" in listed.stderr
    assert "can be answered" in listed.stdout and CANARY not in listed.stdout
    ran = footfall("queries", "run", "views", "--tenant", "shop")
    assert ran.returncode == 0 and "2026-03-07" in ran.stdout
    assert footfall("queries", "run", "sql", "--tenant", "shop").returncode == 1


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ("{", "no JSON"),
        ("[]", "no JSON object"),
        ('{"metric": "sessions", "range": {"days": 0}}', "greater than or equal to 1"),
        (f'{{"metric": "sessions", "range": {{"days": {MOST_DAYS + 1}}}}}', "less than or equal to 400"),
        ('{"metric": "sessions", "range": {"from": "2026-01-01"}}', "a range is"),
        ('{"metric": "sessions", "range": {"from": "2026-01-02", "to": "2026-01-01"}}', "1 to 400 days"),
        ('{"metric": "sessions", "breakdown": ["channel", "os", "city"]}', "at most 2"),
        ('{"metric": "sessions", "breakdown": ["tenant_id"]}', "cannot be asked by 'tenant_id'"),
        ('{"metric": "sessions", "filters": {"1=1 or channel": "x"}}', "cannot be asked by"),
        ('{"metric": "tool_calls", "interval": "hour"}', "has no hours"),
        ('{"metric": "sessions", "interval": "second"}', "interval"),
    ],
)
def test_a_form_that_makes_no_sense_says_why(params: str, says: str) -> None:
    with pytest.raises(NoQuery, match=says):
        compiled("shop", "trend", params)


def test_every_kind_of_picture_is_a_document() -> None:
    columns = ["period", "channel", "sessions"]
    data = [{"period": "2026-03-01", "channel": "Direct", "sessions": 2}]
    for kind in KINDS:
        document = figure(kind, "Sessions", columns, data)
        assert (document is None) == (kind == "table")
        assert document is None or "vega-lite" in document["$schema"]
        assert document is None or document["data"]["values"] == data
    # a step is called by its name, also if nobody reached any
    steps = [{"funnel_id": "f", "step_name": "Paid", "users_count": 0, "conversion_from_first": None}]
    funnel = figure("funnel", "Funnel", list(steps[0]), steps)
    assert funnel and funnel["encoding"]["y"]["field"] == "step_name"
    # nothing to see is no error
    assert figure("line", "Sessions", columns, [])
