"""`footfall forget` and `footfall export`: what people may ask of what is held on them."""

from pathlib import Path

from cli.build import build
from cli.console import err, out
from orchestration.plan import make_plan
from privacy import export, requests
from privacy.erasure import Builds, erase
from privacy.person import person_of
from warehouse.connection import Warehouse, connect
from warehouse.errors import FootfallError
from warehouse.settings import get_settings


def run_forget(tenant: str, user: str, *, later: bool) -> None:
    """Erase a person of a tenant, and prove it; or only note that they are to be erased, for the job forget_people.

    Raises FootfallError if there is nobody, or if something is left.
    """
    settings = get_settings()
    request = requests.ask(settings.home, tenant, user)
    if later:
        out().print("Noted. The job forget_people of Dagster erases whoever is noted.")
        return
    with connect(settings) as warehouse:
        erased = erase(warehouse, request, Builds(lambda it: make_plan(it).nothing_to_do, _build))
    for path in erased.files:
        err().print(f"{path} holds rows of theirs, and is not rewritten: take them out there, or remove it.")
    erased.require_proof()
    out().print(erased.sentence)


def _build(warehouse: Warehouse) -> None:
    build(warehouse, full_refresh=False)


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
