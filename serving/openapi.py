"""How the endpoints are described in the OpenAPI document: from their files."""

from typing import Any

from serving.answers import FORMATS, OBJECT
from serving.pipes import Parameter, Pipe

_ERRORS = {
    400: "A parameter makes no sense; `error` names it.",
    401: "No key, or none that is valid.",
    403: "The key is for another tenant, or for something else.",
    429: "The key was used too often.",
    503: "Nothing is published yet, or the warehouse does not answer.",
}


def described(pipe: Pipe, data_format: str) -> dict[str, Any]:
    """The arguments of FastAPI's `add_api_route` that describe an endpoint."""
    media_type = "application/json" if data_format == OBJECT else FORMATS[data_format][1].partition(";")[0]
    return {
        "summary": pipe.description,
        "tags": [pipe.name],
        "name": f"{pipe.name}_{data_format}",
        "operation_id": f"{pipe.name}_{data_format}",
        "description": f"Columns: {', '.join(pipe.columns)}.",
        "responses": {
            200: {
                "description": "The object." if data_format == OBJECT else "The rows.",
                "content": {media_type: _body(pipe, data_format)},
            },
            **({404: {"description": "Nothing of the kind was synced."}} if data_format == OBJECT else {}),
            304: {"description": "Nothing was published since the ETag."},
            **{
                status: {"description": text, "content": {"application/json": {"schema": _ERROR}}}
                for status, text in _ERRORS.items()
            },
        },
        "openapi_extra": {
            "parameters": [
                *(_parameter(name, parameter) for name, parameter in pipe.all_parameters.items()),
            ],
            "security": [{"key": []}, {"token": []}],
        },
    }


_ERROR = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
SECURITY_SCHEMES = {
    "key": {"type": "http", "scheme": "bearer"},
    "token": {"type": "apiKey", "in": "query", "name": "token"},
}


def _body(pipe: Pipe, data_format: str) -> dict[str, Any]:
    if data_format == OBJECT:
        return {"schema": {"type": "object", "required": pipe.columns}}
    if data_format != "json":
        return {"schema": {"type": "string"}}
    row = {"type": "object", "additionalProperties": True}
    properties = {
        "meta": {"type": "array", "items": row},
        "data": {"type": "array", "items": row},
        "rows": {"type": "integer"},
        "rows_before_limit_at_least": {"type": "integer"},
        "statistics": row,
    }
    return {"schema": {"type": "object", "properties": properties, "required": ["meta", "data", "rows"]}}


def _parameter(name: str, parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": {"integer": "integer", "number": "number"}.get(parameter.type, "string")}
    if parameter.type == "boolean":
        schema["enum"] = ["0", "1"]
    elif parameter.choices:
        schema["enum"] = parameter.choices
    elif parameter.type in ("from", "to"):
        schema["examples"] = ["2026-03-01", "2026-03-01 12:00:00"]
    if parameter.minimum is not None:
        schema["minimum"] = parameter.minimum
    if parameter.maximum is not None:
        schema["maximum"] = parameter.maximum
    if parameter.default is not None:
        schema["default"] = parameter.default
    return {
        "name": name,
        "in": "query",
        "required": parameter.required,
        "description": parameter.description,
        "schema": schema,
    }
