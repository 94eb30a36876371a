"""`footfall forget` and `footfall export`: what people may ask of what is held on them."""

from pathlib import Path

from cli.build import build
from cli.console import err, out
from ingest import erasures, raw_tables
from orchestration.plan import make_plan
from privacy import export, purge, search
from privacy.person import Person, person_of
from warehouse.connection import Warehouse, connect
from warehouse.errors import FootfallError
from warehouse.lock import exclusive
from warehouse.settings import get_settings


def run_forget(tenant: str, user: str) -> None:
    """Erase a person of a tenant, and prove it. Raises FootfallError if there is nobody, or if something is left."""
    settings = get_settings()
    with connect(settings) as warehouse:
        raw_tables.create(warehouse)
        if not make_plan(warehouse).nothing_to_do:
            build(warehouse, full_refresh=False)  # what waits may belong to them
        person = _erase(warehouse, tenant, user)
        if not make_plan(warehouse).nothing_to_do:
            build(warehouse, full_refresh=False)
        with exclusive(warehouse, "forget"):
            left = purge.purge(warehouse)
        words = [*person.ids, *person.traits]
        with warehouse.client() as client:
            raw = settings.raw_database
            found = [*search.in_tables(client, raw, tenant, words), *search.in_files(settings.home, tenant, words)]
    for path in left:
        err().print(f"{path} holds rows of theirs, and is not rewritten: take them out there, or remove it.")
    if found:
        places = "; ".join(f"{one.place} ({one.rows:,})" for one in found[:20])
        raise FootfallError(
            f"The person is erased, but something of theirs is still held: {places}.",
            "Remove it there and run the same command again.",
        )
    out().print(f"Erased: {len(person.ids)} ids of one person of tenant {tenant}. Nothing of theirs is held any more.")


def _erase(warehouse: Warehouse, tenant: str, user: str) -> Person:
    """Commit the erasure, unless that was done before and what follows was broken off."""
    settings = warehouse.settings
    raw = settings.raw_database
    with exclusive(warehouse, "forget"), warehouse.client() as client:
        has_tables = warehouse.has_table(settings.database, "identities")
        person = person_of(client, settings.database, tenant, user) if has_tables else None
        if person is None:
            if not erasures.is_erased(client, raw, tenant, user):
                raise FootfallError(
                    f"Tenant {tenant} has nobody with this id.", "`footfall tenants` lists the tenants."
                )
            return Person(tenant, [user], [])
        purge.remove_posted(settings.home, tenant, [*person.ids, *person.traits])
        if not erasures.is_erased(client, raw, tenant, person.ids[0]):
            erasures.commit(client, raw, tenant, person.ids, person.traits)
    return person


def run_export(tenant: str, user: str, file: Path | None) -> None:
    """Write all that is held on a person as one JSON document. Raises FootfallError if there is nobody."""
    settings = get_settings()
    with connect(settings) as warehouse, warehouse.client() as client:
        has_tables = warehouse.has_table(settings.database, "identities")
        person = person_of(client, settings.database, tenant, user) if has_tables else None
        if person is None:
            raise FootfallError(f"Tenant {tenant} has nobody with this id.", "`footfall tenants` lists the tenants.")
        document = export.document(client, settings, person)
    if file is None:
        print(document.decode())
        return
    file.write_bytes(document + b"\n")
    out().print(f"{file}: {len(document):,} bytes on one person of tenant {tenant}.")
