"""Requests to be forgotten that stand open: $FOOTFALL_HOME/erasures/*.json, each until nothing of the person is held.

So an erasure that was broken off is finished with all that was known of the person, and a job that runs by itself needs
no id in its configuration. The name of a file is random; only the owner of the home can read it.
"""

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import orjson

from privacy.person import Person
from warehouse.private_files import write_private


@dataclass(frozen=True)
class Request:
    """`user` is what was asked for; `ids` and `traits` are what was found of that person, empty before that."""

    path: Path
    tenant: str
    user: str
    ids: Sequence[str] = ()
    traits: Sequence[str] = ()

    @property
    def words(self) -> list[str]:
        """What nothing may hold in the end."""
        return sorted({self.user, *self.ids, *self.traits})

    def of(self, person: Person) -> "Request":
        """The same with what is known of the person, which is on disk when this returns."""
        ids, traits = {*self.ids, *person.ids}, {*self.traits, *person.traits}
        return _kept(replace(self, ids=sorted(ids), traits=sorted(traits)))

    def close(self) -> None:
        """Nothing is left to do."""
        self.path.unlink(missing_ok=True)


def folder(home: Path) -> Path:
    """Where the requests of a home are."""
    return home / "erasures"


def ask(home: Path, tenant: str, user: str) -> Request:
    """The request for a person of a tenant: one that stands open already, or a new one."""
    for request in standing(home):
        if request.tenant == tenant and user in (request.user, *request.ids):
            return request
    folder(home).mkdir(parents=True, exist_ok=True)
    folder(home).chmod(0o700)
    return _kept(Request(folder(home) / f"{secrets.token_hex(8)}.json", tenant, user))


def standing(home: Path) -> list[Request]:
    """The requests that stand open."""
    found = sorted(folder(home).glob("*.json"))
    return [Request(path, **orjson.loads(path.read_bytes())) for path in found]


def _kept(request: Request) -> Request:
    said = {name: value for name, value in asdict(request).items() if name != "path"}
    write_private(request.path, orjson.dumps(said).decode())
    return request
