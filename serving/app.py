"""The HTTP service over the published tables: `create_app` makes it for one warehouse."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import Response, StreamingResponse

from serving import saved
from serving.answers import FORMATS, OBJECT, Answer, Answers, NotAnswered
from serving.authorisation import Authorisation, Caller, require_tenant, token_of
from serving.calls import Call, Calls, now
from serving.openapi import described
from serving.parameters import BadParameter, canonical, checked
from serving.pipes import Pipe, dashboards, pipes
from serving.posting import Posting, router
from serving.refusals import Refused, refusal
from serving.shown_properties import shown_properties
from warehouse import service_users
from warehouse.connection import Warehouse


def create_app(warehouse: Warehouse, rate: str) -> FastAPI:
    """The service for a warehouse; every key may be used at this rate, such as `100/second`.

    Raises FootfallError if the warehouse has no users for it.
    """
    answers = Answers(service_users.reader(warehouse))
    calls = Calls(service_users.recorder(warehouse))
    authorisation = Authorisation(answers, rate)
    posting = Posting(warehouse)
    shown = shown_properties(warehouse.settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(work) for work in (posting.work_for_ever(), calls.write_for_ever())]
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await answers.close()

    app = FastAPI(title="Footfall", version="0", lifespan=lifespan, redoc_url=None)

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> Response:
        return refusal(error.status, error.sentence)

    @app.exception_handler(NotAnswered)
    async def not_answered(_: Request, error: NotAnswered) -> Response:
        return refusal(503, str(error))

    @app.exception_handler(404)
    async def not_found(request: Request, _: Exception) -> Response:
        return refusal(404, f"There is no {request.url.path}; /docs lists what there is.")

    @app.middleware("http")
    async def write_down(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        started, at = time.perf_counter(), now()
        response = await call_next(request)
        caller: Caller | None = getattr(request.state, "caller", None)
        if endpoint := getattr(request.state, "endpoint", ""):
            milliseconds = (time.perf_counter() - started) * 1000
            calls.add(
                Call(
                    at,
                    caller.key_id if caller else "",
                    endpoint,
                    caller.tenant_id if caller else "",
                    response.status_code,
                    getattr(request.state, "rows", 0),
                    round(milliseconds, 3),
                )
            )
        return response

    @app.get("/health", summary="Whether the service and its warehouse answer.", tags=["service"])
    async def health() -> dict[str, str]:
        await answers.rows("SELECT 1", {})
        return {"status": "ok"}

    @app.get("/v0/pipes", summary="The endpoints.", tags=["service"])
    async def list_pipes() -> list[dict[str, Any]]:
        return [
            {"name": pipe.name, "description": pipe.description, "parameters": list(pipe.all_parameters)}
            for pipe in pipes().values()
        ]

    async def ask(request: Request, pipe: Pipe, data_format: str) -> Response:
        request.state.endpoint = pipe.name
        caller = await authorisation.caller_of(request, token_of(request), "read")
        given = [(name, value) for name, value in request.query_params.multi_items() if name != "token"]
        for name, value in given:
            if name == "location_id":
                require_tenant(caller, value)
        try:
            values = checked(pipe, given)
        except BadParameter as error:
            raise Refused(400, str(error)) from None
        before = await answers.published()
        tag = _tag(pipe, data_format, values, before.build_id)
        if _matches(request.headers.get("If-None-Match", ""), tag):
            return Response(status_code=304, headers={"ETag": tag})
        query = pipe.query(order=values.pop("order", "DESC"), id_type=values["id_type"])
        answer = await answers.answer(query, values | {"shown_properties": shown}, data_format, before)
        request.state.rows = answer.rows
        if data_format == OBJECT and not answer.rows:
            await answer.response.aclose()
            raise Refused(404, f"There is nothing to see for {pipe.name}: no such server, or nothing was synced.")
        build_id = answer.published.build_id
        tag = _tag(pipe, data_format, checked(pipe, given), build_id)
        headers = {"ETag": tag, "Footfall-Build": build_id, "Cache-Control": "private, no-cache"}
        media_type = "application/json" if data_format == OBJECT else FORMATS[data_format][1]
        return StreamingResponse(_bytes(answer), media_type=media_type, headers=headers)

    app.include_router(router(authorisation, posting))
    # SDKs in browsers post from pages of other hosts; what opens anything is the key.
    app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "POST"], allow_headers=["*"])
    for pipe in pipes().values():
        for data_format in FORMATS:
            app.add_api_route(
                f"/v0/pipes/{pipe.name}.{data_format}",
                _endpoint(ask, pipe, data_format),
                methods=["GET"],
                **described(pipe, data_format),
            )
    for dashboard in dashboards().values():
        app.add_api_route(
            f"/v0/dashboards/{dashboard.name}.json",
            _endpoint(ask, dashboard, OBJECT),
            methods=["GET"],
            **described(dashboard, OBJECT),
        )
    # behind those, whose names no dashboard of a product takes
    app.include_router(saved.router(authorisation, answers))
    return app


def _endpoint(
    ask: Callable[[Request, Pipe, str], Awaitable[Response]], pipe: Pipe, data_format: str
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await ask(request, pipe, data_format)

    return endpoint


async def _bytes(answer: Answer) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.response.aiter_bytes():
            yield chunk
    finally:
        await answer.response.aclose()


def _tag(pipe: Pipe, data_format: str, values: Mapping[str, Any], build_id: str) -> str:
    """What an answer depends on: the build, and what was asked."""
    parts = orjson.dumps([build_id, pipe.name, pipe.sql, data_format, canonical(values)])
    return f'"{hashlib.sha256(parts).hexdigest()[:32]}"'


def _matches(given: str, tag: str) -> bool:
    return any(one.strip().removeprefix("W/") in (tag, "*") for one in given.split(","))
