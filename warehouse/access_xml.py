"""The users.xml of the local server: the profiles, and the users of access.yml and those that were added."""

from collections.abc import Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from warehouse.access import User, definition

# async_insert: a load must know that its rows are there. max_partitions_per_insert_block: a rebuild writes every day at
# once. enable_materialized_cte: the macro `once` of the dbt project counts on it. The ratios: what one key makes large
# goes to disk before it takes the memory of others (dbt's profile says the same of what every supported server knows).
_PROFILE = {
    "async_insert": "0",
    "max_partitions_per_insert_block": "0",
    "enable_materialized_cte": "1",
    "max_bytes_ratio_before_external_join": "0.15",
    "max_bytes_ratio_before_external_distinct": "0.15",
    "log_queries": "1",
}


def users_xml(name: str, password_sha256: str, users: Sequence[User]) -> str:
    """The text of users.xml: the user that Footfall works as, which may do everything, and the others."""
    root = Element("clickhouse")
    profiles, quotas, all_users = (SubElement(root, tag) for tag in ("profiles", "quotas", "users"))
    _settings(SubElement(profiles, "default"), _PROFILE)
    # The engine's own session takes the only slot of `default`, the user without a password, so that nobody else can
    # log in as `default`.
    _settings(SubElement(profiles, "engine"), {"max_sessions_for_user": "1"})
    SubElement(quotas, "default")
    SubElement(_user(all_users, "default", "engine"), "password")
    own = _user(all_users, name, "default")
    SubElement(own, "password_sha256_hex").text = password_sha256
    SubElement(own, "access_management").text = "1"
    for user in users:
        _add(profiles, quotas, all_users, user)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _add(profiles: Element, quotas: Element, all_users: Element, user: User) -> None:
    profile = SubElement(profiles, user.name)
    _settings(profile, _PROFILE | {name: str(value) for name, value in user.role.settings.items()})
    if user.role.limited or user.role.fixed:
        constraints = SubElement(profile, "constraints")
        for name in user.role.fixed:
            SubElement(SubElement(constraints, name), "readonly")
        for name in user.role.limited:
            limit = SubElement(constraints, name)
            # 0 means without a limit, so it is not enough to say what is the most
            SubElement(limit, "min").text = "1"
            SubElement(limit, "max").text = str(user.role.settings[name])
    if user.role.quota:
        interval = SubElement(SubElement(quotas, user.name), "interval")
        for name, value in user.role.quota.items():
            SubElement(interval, "duration" if name == "seconds" else name).text = str(value)
    element = _user(all_users, user.name, user.name, user.name if user.role.quota else "default")
    SubElement(element, "password_sha256_hex").text = user.password_sha256
    grants = SubElement(element, "grants")
    for grant in user.grants or ["USAGE ON *.*"]:
        SubElement(grants, "query").text = f"GRANT {grant}"
    for grant in user.revokes:
        SubElement(grants, "query").text = f"REVOKE {grant}"
    if user.policies:
        databases = SubElement(element, "databases")
        for place in user.policies:
            database, table = place.split(".")
            found = databases.find(database)
            tables = SubElement(databases, database) if found is None else found
            SubElement(SubElement(tables, table), "filter").text = policy(user.tenant, table)


def policy(tenant: str, table: str) -> str:
    """The condition on the rows of a table that a tenant's analyst sees: its own, and definitions that hold for all
    tenants.

    As hex, so that no tenant's name is ever a piece of SQL.
    """
    for_all = "'', " if table in definition().for_all_tenants else ""
    return f"tenant_id IN ({for_all}unhex('{tenant.encode().hex()}'))"


def _user(parent: Element, name: str, profile: str, quota: str = "default") -> Element:
    element = SubElement(parent, name)
    SubElement(SubElement(element, "networks"), "ip").text = "127.0.0.1"
    SubElement(element, "profile").text = profile
    SubElement(element, "quota").text = quota
    return element


def _settings(profile: Element, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        SubElement(profile, name).text = value
