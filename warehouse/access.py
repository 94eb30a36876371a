"""Who may do what in ClickHouse: the roles of access.yml, and the people that were given one.

The local server is told by its users.xml, written at every start; a server of one's own by SQL. Both come from here.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from warehouse.errors import FootfallError, UsageError
from warehouse.private_files import write_private
from warehouse.settings import Settings

_FILE = Path(__file__).with_name("access.yml")
# What people may be given.
ROLES_OF_PEOPLE = ("analyst", "account_analyst", "builder", "loader")
# What they are if they may see one tenant only.
_OF_A_TENANT = {"analyst": "tenant_analyst", "account_analyst": "tenant_account_analyst"}


class Role(BaseModel):
    """What a user of this role may do: `grants` without `revokes`. `limited` are settings that no client may raise
    above what they are here, and `fixed` are those that none may set at all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str
    grants: list[str]
    revokes: list[str] = []
    settings: dict[str, int] = {}
    limited: list[str] = []
    fixed: list[str] = []
    quota: dict[str, int] = {}


class Definition(BaseModel):
    """The whole of access.yml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    for_all_tenants: list[str]
    roles: dict[str, Role]
    services: dict[str, str]


class Person(BaseModel):
    """A user that was added; of its password only the hash is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: str
    tenant: str = ""
    password_sha256: str


class People(BaseModel):
    """What a home knows beside access.yml: the users that were added, and the published tables with a tenant."""

    users: dict[str, Person] = {}
    tables: list[str] = Field(default=[], description="Published tables and views that have a column tenant_id.")


@dataclass(frozen=True)
class User:
    """A user as the server is told of it: its grants, and the tables (with their database) of
    which it sees one tenant's rows alone."""

    name: str
    role: Role
    password_sha256: str
    grants: Sequence[str]
    revokes: Sequence[str] = ()
    policies: Sequence[str] = ()
    tenant: str = ""


@cache
def definition() -> Definition:
    """The roles and services of access.yml."""
    return Definition.model_validate(yaml.safe_load(_FILE.read_text(encoding="utf-8")))


def people_of(settings: Settings) -> People:
    """The people that this home knows; nobody in a new one."""
    path = _people_file(settings.home)
    return People.model_validate_json(path.read_text()) if path.exists() else People()


def keep(settings: Settings, people: People) -> None:
    """Remember these people in the home; only its owner can read it."""
    _people_file(settings.home).parent.mkdir(parents=True, exist_ok=True)
    write_private(_people_file(settings.home), people.model_dump_json(indent=1) + "\n")


def users(settings: Settings) -> list[User]:
    """All users of the warehouse beside the one that Footfall works as; makes the passwords of the services once."""
    people = people_of(settings)
    names = {"raw": settings.raw_database, "published": settings.database}
    roles = definition().roles
    found = []
    for service, its_role in definition().services.items():
        password = service_password(settings.home, service, is_new=True)
        found.append(User(service, roles[its_role], hashed(password), _named(roles[its_role].grants, names)))
    for name, person in people.users.items():
        if person.tenant:
            role = roles[_OF_A_TENANT[person.role]]
            revokes = _named(role.revokes, names)
            tables = [f"{settings.database}.{table}" for table in people.tables]
            places = [place for place in tables if f"SELECT ON {place}" not in revokes]
            grants = [f"SELECT ON {place}" for place in places]
            found.append(User(name, role, person.password_sha256, grants, (), places, person.tenant))
        else:
            role = roles[person.role]
            grants, revokes = _named(role.grants, names), _named(role.revokes, names)
            found.append(User(name, role, person.password_sha256, grants, revokes))
    return found


def added(people: People, name: str, role: str, tenant: str) -> tuple[People, str]:
    """The people with one more, and the password, which is shown once and kept nowhere.

    Raises UsageError for a name that is taken or no plain one, and for a tenant of a role that sees all.
    """
    if not name.isidentifier() or not name.isascii() or name in (*definition().services, "default", "footfall"):
        raise UsageError(f"{name!r} cannot be a user's name.", "Take letters, digits and underscores.")
    if name in people.users:
        raise UsageError(f"There is a user {name!r} already.", f"`footfall access user drop {name}` removes it.")
    if tenant and role not in _OF_A_TENANT:
        raise UsageError(f"A {role} sees the rows of all tenants.", "Leave --tenant out, or --role.")
    password = secrets.token_urlsafe(24)
    person = Person(role=role, tenant=tenant, password_sha256=hashed(password))
    return people.model_copy(update={"users": people.users | {name: person}}), password


def dropped(people: People, name: str) -> People:
    """The people without one. Raises UsageError if there is none of this name."""
    if name not in people.users:
        raise UsageError(f"There is no user {name!r}.", "`footfall access user list` names them all.")
    return people.model_copy(update={"users": {other: one for other, one in people.users.items() if other != name}})


def service_password(home: Path, name: str, *, is_new: bool = False) -> str:
    """The password of a service, kept in the home. Raises FootfallError if there is none yet, unless it may be made."""
    path = home / "access" / f"{name}.password"
    if not path.exists():
        if not is_new:
            raise FootfallError(f"The warehouse has no user {name} yet.", "Run `footfall access apply`.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        write_private(path, secrets.token_urlsafe(24))
    return path.read_text()


def _named(grants: Sequence[str], names: Mapping[str, Any]) -> list[str]:
    """Grants with the names of the databases in place; these are plain identifiers (see settings)."""
    return [grant.format(**names) for grant in grants]


def _people_file(home: Path) -> Path:
    return home / "access" / "people.json"


def hashed(password: str) -> str:
    """What is kept of a password: its SHA-256, as hex, as ClickHouse compares it."""
    return hashlib.sha256(password.encode()).hexdigest()
