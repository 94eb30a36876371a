"""Requests that are not answered, and the one form in which that is said."""

from typing import TYPE_CHECKING

from fastapi.responses import ORJSONResponse, Response

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
    return ORJSONResponse({"error": sentence}, status_code=status, headers=headers)
