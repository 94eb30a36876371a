"""Who may ask for what: a key opens one tenant, for reading or for appending, so often a second and no more."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import Request
from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from serving.answers import Answers
from serving.keys import hash_of
from serving.refusals import Refused

# How long a key that was revoked may still be believed.
_KNOWN_SECONDS = 1.0
_VALID = """
SELECT key_hash, key_id, tenant_id, scope, toUnixTimestamp64Milli(expires_at) / 1000
FROM {raw:Identifier}.api_keys FINAL
WHERE revoked_at IS NULL
"""


@dataclass(frozen=True)
class Caller:
    """Whose key it is."""

    key_id: str
    tenant_id: str
    scope: str
    expires_at: float | None


class Authorisation:
    """The keys, as they are in the warehouse, and how often each was used. `rate` is such as `100/second`."""

    def __init__(self, answers: Answers, rate: str) -> None:
        self._answers = answers
        self._rate = parse(rate)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._callers: dict[str, Caller] = {}
        self._asked_at = -_KNOWN_SECONDS

    async def caller(self, token: str, scope: str) -> Caller:
        """Who calls with a token, which must be for this scope.

        Raises Refused (401, 403 or 429), and NotAnswered if the warehouse is away.
        """
        if time.monotonic() - self._asked_at >= _KNOWN_SECONDS:
            rows = await self._answers.rows(_VALID, {})
            self._callers = {key_hash: Caller(*caller) for key_hash, *caller in rows}
            self._asked_at = time.monotonic()
        caller = self._callers.get(hash_of(token)) if token else None
        if caller is None or (caller.expires_at and caller.expires_at <= datetime.now(UTC).timestamp()):
            raise Refused(401, "A valid key is needed: Authorization: Bearer KEY, or ?token=KEY.")
        if not await self._limiter.hit(self._rate, caller.key_id):
            raise Refused(429, f"The key may be used {self._rate} and no more.", caller)
        if caller.scope != scope:
            raise Refused(403, f"The key is not for this: its scope is {caller.scope}.", caller)
        return caller

    async def caller_of(self, request: Request, token: str, scope: str) -> Caller:
        """The same, and the request knows who it was, also if it is refused."""
        try:
            caller = await self.caller(token, scope)
        except Refused as error:
            request.state.caller = error.caller
            raise
        request.state.caller = caller
        return caller


def token_of(request: Request) -> str:
    """The key that a request comes with, '' without one."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else request.query_params.get("token", "")


def require_tenant(caller: Caller, tenant: str) -> None:
    """Raises Refused for another tenant than the key's, whether there is one of that name or not."""
    if caller.tenant_id != tenant:
        raise Refused(403, "The key is not for this location_id.", caller)
