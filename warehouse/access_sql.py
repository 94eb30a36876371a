"""The users of access.yml and those that were added as SQL, for a ClickHouse server of one's own."""

from collections.abc import Iterator, Sequence

from clickhouse_connect.driver.binding import quote_identifier

from warehouse.access import User
from warehouse.access_xml import policy

# Begins the name of every policy, so that those of users that are gone can be found.
POLICY = "footfall_"


def statements(users: Sequence[User]) -> Iterator[str]:
    """What makes a server's users what they should be, in this order; safe to run at any time.

    Names are plain identifiers and hashes are hex: they are put in as they are, because these statements take no
    parameters.
    """
    for user in users:
        name = quote_identifier(user.name)
        yield f"CREATE USER IF NOT EXISTS {name} IDENTIFIED WITH sha256_hash BY '{user.password_sha256}'"
        yield f"ALTER USER {name} IDENTIFIED WITH sha256_hash BY '{user.password_sha256}' SETTINGS {_settings(user)}"
        yield f"REVOKE ALL ON *.* FROM {name}"
        # before the grants: no table can be read for a moment without its policy
        for place in user.policies:
            condition = policy(user.tenant, place.split(".")[1])
            yield (
                f"CREATE ROW POLICY OR REPLACE {POLICY}{user.name} ON {place} FOR SELECT USING {condition}"
                f" AS PERMISSIVE TO {name}"
            )
        for grant in user.grants:
            yield f"GRANT {grant} TO {name}"
        for grant in user.revokes:
            yield f"REVOKE {grant} FROM {name}"
        if user.role.quota:
            limits = user.role.quota
            yield (
                f"CREATE QUOTA OR REPLACE {name} FOR INTERVAL {limits['seconds']} second MAX queries ="
                f" {limits['queries']}, execution_time = {limits['execution_time']} TO {name}"
            )


def removal(name: str) -> str:
    """What removes a user, and with it its grants."""
    return f"DROP USER IF EXISTS {quote_identifier(name)}"


def _settings(user: User) -> str:
    said = [
        f"{name} = {value} MIN 1 MAX {value}" if name in user.role.limited else f"{name} = {value}"
        for name, value in (user.role.settings or {"readonly": 0}).items()
    ]
    return ", ".join([*said, *(f"{name} READONLY" for name in user.role.fixed)])
