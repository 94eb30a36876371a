"""Requests that are not answered, and the one form in which that is said."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson
from fastapi.responses import Response

if TYPE_CHECKING:
    from serving.authorisation import Caller


class Refused(Exception):
    """A request that is not answered; `caller` is whose it was, if that is known."""

    def __init__(self, status: int, sentence: str, caller: "Caller | None" = None) -> None:
        self.status = status
        self.sentence = sentence
        self.caller = caller
        super().__init__(sentence)


def refusal(status: int, sentence: str) -> Response:
    """The answer to a request that is refused: one sentence under `error`."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if status in (429, 503):
        headers["Retry-After"] = "1"
    return answer({"error": sentence}, status, headers)


def answer(content: Mapping[str, Any], status: int, headers: Mapping[str, str] | None = None) -> Response:
    """An answer of ours, as JSON."""
    return Response(orjson.dumps(content), status, headers, media_type="application/json")
