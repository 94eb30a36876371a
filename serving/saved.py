"""What a product's people saved, answered: queries, visualizations (with a picture), and dashboards of them."""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response

from serving.answers import Answers, Published
from serving.authorisation import Authorisation, require_tenant, token_of
from serving.figures import figure
from serving.queries import NoQuery, compiled
from serving.refusals import Refused

_QUERY = """
    SELECT name, description, query_type, query_params FROM saved_queries
    WHERE tenant_id = {tenant:String} AND query_id = {id:String}
"""
# A picture shows a saved query, or has a question of its own.
_VISUALIZATIONS = """
    SELECT
        pictures.visualization_id, pictures.name, pictures.visualization_type, pictures.config, pictures.position,
        pictures.query_id, if(pictures.query_params != '', '', queries.query_type),
        if(pictures.query_params != '', pictures.query_params, queries.query_params)
    FROM (SELECT * FROM visualizations WHERE tenant_id = {tenant:String}) AS pictures
    LEFT JOIN (SELECT * FROM saved_queries WHERE tenant_id = {tenant:String}) AS queries
        ON pictures.query_id = queries.query_id
    WHERE {id:String} IN (pictures.visualization_id, pictures.dashboard_id)
    ORDER BY pictures.created_at, pictures.visualization_id
    LIMIT 100
"""
_DASHBOARD = """
    SELECT name, description, layout FROM dashboards
    WHERE tenant_id = {tenant:String} AND dashboard_id = {id:String}
"""


async def query_rows(
    answers: Answers, tenant: str, query_type: str, params: str, before: Published
) -> tuple[list[str], list[dict[str, Any]]]:
    """The columns and rows of a form, as of what is published. Raises NoQuery for what is no form, and NotAnswered."""
    query = compiled(tenant, query_type, params)
    answer = await answers.answer(query.sql, query.parameters, "json", before)
    content = orjson.loads(await answer.response.aread())
    return query.columns, content["data"]


async def query_named(answers: Answers, tenant: str, query_id: str, before: Published) -> dict[str, Any]:
    """A saved query with its rows. Raises Refused if there is none (404), or if it is no form (422)."""
    rows = await answers.rows(_QUERY, {"tenant": tenant, "id": query_id})
    if not rows:
        raise Refused(404, "There is no saved query of this id.")
    name, description, query_type, params = rows[0]
    try:
        columns, data = await query_rows(answers, tenant, query_type, params, before)
    except NoQuery as problem:
        raise Refused(422, f"The saved query cannot be answered: {problem}.") from None
    return {"id": query_id, "name": name, "description": description, "columns": columns, "data": data}


async def _pictures(answers: Answers, tenant: str, one: str, before: Published) -> list[dict[str, Any]]:
    """The visualizations of this id or of the dashboard of this id; one that cannot be answered has a `problem`."""
    found = []
    for (picture, name, kind, config, position, query_id, query_type, params) in await answers.rows(
        _VISUALIZATIONS, {"tenant": tenant, "id": one}
    ):  # fmt: skip
        shown: dict[str, Any] = {
            "id": picture, "name": name, "visualization_type": kind, "query_id": query_id or None,
            "config": _json(config), "position": _json(position), "columns": [], "data": [], "figure": None,
            "problem": None,
        }  # fmt: skip
        try:
            shown["columns"], shown["data"] = await query_rows(answers, tenant, query_type, params, before)
            shown["figure"] = figure(kind, name, shown["columns"], shown["data"])
        except (NoQuery, ValueError) as problem:
            shown["problem"] = f"It cannot be answered: {problem}."
        found.append(shown)
    return found


def router(authorisation: Authorisation, answers: Answers) -> APIRouter:
    """The addresses of what was saved; every answer is of the tenant that the key opens."""
    routes = APIRouter(tags=["saved"])

    async def opened(request: Request, endpoint: str) -> tuple[str, Published]:
        request.state.endpoint = endpoint
        caller = await authorisation.caller_of(request, token_of(request), "read")
        tenant = request.query_params.get("location_id", "")
        if not tenant:
            raise Refused(400, "The parameter location_id is required.")
        require_tenant(caller, tenant)
        return tenant, await answers.published()

    @routes.get("/v0/queries/{query_id}.json", summary="A saved query with its rows.")
    async def query(request: Request, query_id: str, location_id: str = "") -> Response:
        tenant, before = await opened(request, "query")
        return _answer(request, await query_named(answers, tenant, query_id, before), before)

    @routes.get("/v0/visualizations/{visualization_id}.json", summary="A visualization: rows and a Vega-Lite document.")
    async def visualization(request: Request, visualization_id: str, location_id: str = "") -> Response:
        tenant, before = await opened(request, "visualization")
        found = [one for one in await _pictures(answers, tenant, visualization_id, before)
                 if one["id"] == visualization_id]  # fmt: skip
        if not found:
            raise Refused(404, "There is no visualization of this id.")
        if found[0]["problem"]:
            raise Refused(422, found[0]["problem"])
        return _answer(request, found[0], before)

    @routes.get("/v0/dashboards/{dashboard_id}.json", summary="A dashboard: its layout, and every picture on it.")
    async def dashboard(request: Request, dashboard_id: str, location_id: str = "") -> Response:
        tenant, before = await opened(request, "dashboard")
        rows = await answers.rows(_DASHBOARD, {"tenant": tenant, "id": dashboard_id})
        if not rows:
            raise Refused(404, "There is no dashboard of this id.")
        name, description, layout = rows[0]
        content = {
            "id": dashboard_id, "name": name, "description": description, "layout": _json(layout),
            "widgets": await _pictures(answers, tenant, dashboard_id, before),
        }  # fmt: skip
        return _answer(request, content, before)

    return routes


def _answer(request: Request, content: Mapping[str, Any], published: Published) -> Response:
    body = orjson.dumps(content)
    tag = f'"{hashlib.sha256(published.build_id.encode() + body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Footfall-Build": published.build_id, "Cache-Control": "private, no-cache"}
    if tag in request.headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _json(text: str) -> Any:
    """What a column of JSON holds; None if it is empty or no JSON."""
    try:
        return orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return None
