"""`footfall access`: the users of the warehouse."""

import click

from cli.console import err, out, print_table
from warehouse import access, access_apply
from warehouse.connection import connect
from warehouse.lock import exclusive
from warehouse.settings import get_settings


def run_apply() -> None:
    """Make the users of the warehouse what access.yml and the home say they are."""
    with connect(get_settings()) as warehouse, exclusive(warehouse, "access apply"):
        access_apply.apply(warehouse)
        users = access.users(warehouse.settings)
    out().print(f"{len(users)} users: {', '.join(user.name for user in users)}.")


def run_add(name: str, role: str, tenant: str) -> None:
    """Add a user; its password alone goes to stdout."""
    settings = get_settings()
    people, password = access.added(access.people_of(settings), name, role, tenant)
    with connect(settings) as warehouse, exclusive(warehouse, "access user add"):
        access_apply.apply(warehouse, people)
    seen = f"the rows of tenant {tenant} alone" if tenant else "all tenants"
    err().print(f"{name} is a user of the warehouse now ({role}, {seen}). The password is shown this once:")
    click.echo(password)


def run_list() -> None:
    """Print the users that were added."""
    people = access.people_of(get_settings()).users
    if not people:
        out().print("No user was added. `footfall access user add NAME` adds one.")
        return
    rows = [[name, person.role, person.tenant or "all"] for name, person in sorted(people.items())]
    print_table(["name", "role", "tenant"], rows)


def run_drop(name: str) -> None:
    """Remove a user."""
    settings = get_settings()
    people = access.dropped(access.people_of(settings), name)
    with connect(settings) as warehouse, exclusive(warehouse, "access user drop"):
        access_apply.apply(warehouse, people)
    out().print(f"{name} is no user of the warehouse any more.")
