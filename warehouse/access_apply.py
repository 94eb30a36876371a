"""Makes the users of the warehouse what access.yml and the home say they are."""

from warehouse import access, access_sql, server
from warehouse.access import People
from warehouse.connection import Warehouse
from warehouse.server_files import ServerFiles, prepare_files, read_endpoint


def apply(warehouse: Warehouse, people: People | None = None) -> bool:
    """Make the users of the warehouse what they should be, with these people instead of those known; True if anything
    had to be done on the local server.

    Tenants' analysts are granted the tables that are published now. A local server is started again for that, which
    breaks off what runs on it; so callers hold the writer's lock. On another one it is SQL, and the user that Footfall
    works as needs the right to make users.
    """
    settings = warehouse.settings
    before = access.people_of(settings)
    people = (people or before).model_copy(update={"tables": tables_with_tenants(warehouse)})
    access.keep(settings, people)
    if not settings.is_local:
        with warehouse.client() as client:
            for name in before.users.keys() - people.users.keys():
                client.command(access_sql.removal(name))
            for statement in access_sql.statements(access.users(settings)):
                client.command(statement)
        return True
    files = ServerFiles.of_home(settings.home)
    said = (files.folder / "users.xml").read_text()
    http_port, tcp_port = read_endpoint(files) or (settings.http_port, settings.tcp_port)
    prepare_files(files, http_port, tcp_port, access.users(settings))
    if (files.folder / "users.xml").read_text() == said:
        return False
    warehouse.close()
    server.restart(settings.home)
    return True


def follow_published(warehouse: Warehouse) -> bool:
    """Give analysts of one tenant the tables that are published now, each with its policy, if these are others than
    before; True if that was to be done. See `apply` for what it takes.
    """
    people = access.people_of(warehouse.settings)
    if not any(person.tenant for person in people.users.values()):
        return False
    return people.tables != tables_with_tenants(warehouse) and apply(warehouse)


def is_outdated(warehouse: Warehouse) -> bool:
    """Whether the local server was started without some users that it should have; its owner's upgrade, mostly."""
    said = (ServerFiles.of_home(warehouse.settings.home).folder / "users.xml").read_text()
    return any(user.password_sha256 not in said for user in access.users(warehouse.settings))


def tables_with_tenants(warehouse: Warehouse) -> list[str]:
    """The published tables and views that have a column tenant_id."""
    with warehouse.client() as client:
        rows = client.query(
            "SELECT DISTINCT table FROM system.columns WHERE database = {db:String} AND name = 'tenant_id'"
            " ORDER BY table",
            parameters={"db": warehouse.settings.database},
        ).result_rows
    return [name for (name,) in rows]
