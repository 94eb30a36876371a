"""An erasure from the request to the proof. Broken off at any point, it is simply begun anew with the same request."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingest import erasures, raw_tables
from privacy import purge, requests, search
from privacy.person import person_of
from privacy.requests import Request
from privacy.search import Found
from warehouse.connection import Warehouse
from warehouse.errors import FootfallError
from warehouse.lock import exclusive

_DOING = "forget"


@dataclass(frozen=True)
class Builds:
    """How what waits is built and published, and whether anything waits."""

    nothing_waits: Callable[[Warehouse], bool]
    build: Callable[[Warehouse], None]

    def catch_up(self, warehouse: Warehouse) -> None:
        """Build, if anything waits. Raises FootfallError if the build fails."""
        if not self.nothing_waits(warehouse):
            self.build(warehouse)


@dataclass(frozen=True)
class Erased:
    """What became of a request: how many ids the person had, files with rows of theirs that are not rewritten, and
    where something of theirs is held nevertheless.
    """

    tenant: str
    ids: int
    files: Sequence[str]
    found: Sequence[Found]

    def require_proof(self) -> None:
        """Raises FootfallError if anything of the person was found."""
        if self.found:
            places = "; ".join(f"{one.place} ({one.rows:,})" for one in self.found[:20])
            raise FootfallError(
                f"The person is erased, but something of theirs is still held: {places}.",
                "Remove it there and run the same command again.",
            )

    @property
    def sentence(self) -> str:
        """What is said at the end; it names nobody."""
        ids = "1 id" if self.ids == 1 else f"{self.ids} ids"
        return f"Erased: {ids} of one person of tenant {self.tenant}. Nothing of theirs is held any more."


def erase(warehouse: Warehouse, request: Request, builds: Builds, wait_seconds: float = 0.0) -> Erased:
    """Erase the person of a request, and look for what is left of them; the request is closed if that is nothing.

    Waits so long for others that write. Raises FootfallError if there is nobody, or if a build fails.
    """
    raw_tables.create(warehouse)
    builds.catch_up(warehouse)  # what waits may belong to them
    with exclusive(warehouse, _DOING, wait_seconds):
        request = _commit(warehouse, request)
    while True:
        builds.catch_up(warehouse)
        with exclusive(warehouse, _DOING, wait_seconds):
            # What is purged must be in no published table, also of an erasure that was committed just now.
            if builds.nothing_waits(warehouse):
                files = purge.purge(warehouse)
                break
    settings = warehouse.settings
    with warehouse.client() as client:
        found = [
            *search.in_tables(client, settings.raw_database, request.tenant, request.words),
            *search.in_files(settings.home, request.tenant, request.words, but_for=requests.folder(settings.home)),
        ]
    if not found:
        request.close()
    return Erased(request.tenant, len(request.ids) or 1, files, found)


def _commit(warehouse: Warehouse, request: Request) -> Request:
    """Commit the erasure, unless that was done before and what follows was broken off."""
    settings = warehouse.settings
    raw = settings.raw_database
    with warehouse.client() as client:
        erasures.remove_remains(client, raw)
        has_tables = warehouse.has_table(settings.database, "identities")
        person = person_of(client, settings.database, request.tenant, request.user) if has_tables else None
        if person is not None:
            request = request.of(person)
        elif not request.ids and not erasures.is_erased(client, raw, request.tenant, request.user):
            request.close()
            raise FootfallError(
                f"Tenant {request.tenant} has nobody with this id.", "`footfall tenants` lists the tenants."
            )
        purge.remove_posted(settings.home, request.tenant, request.words)
        if person is not None:
            known_by = [request.user, *person.emails]
            erasures.commit(client, raw, request.tenant, person.ids, person.traits, known_by)
    return request
