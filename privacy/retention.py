"""How long what is kept: policies of tenants, what they call for on a day, and doing it.

Doing it is a load and a purge, as an erasure is. Broken off at any point, the same command finishes it.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from ingest import cuts, raw_tables
from ingest.cuts import DAILY, EVENTS, Cut
from privacy import purge
from privacy.erasure import Builds
from warehouse.connection import Warehouse
from warehouse.errors import FootfallError
from warehouse.lock import exclusive

_DOING = "cut"

WHAT = (EVENTS, DAILY)

_POLICIES = """
    SELECT tenant_id, what, keep_days FROM {raw:Identifier}.retention_policies FINAL ORDER BY tenant_id, what
"""
# Where each tenant's rows begin. Rejected rows are of the tenant without a name.
_OLDEST = """
    SELECT tenant_id, 'events' AS what, min(event_date) AS first
    FROM {raw:Identifier}.events
    WHERE load_id IN (SELECT load_id FROM {raw:Identifier}.loads)
    GROUP BY tenant_id
    UNION ALL
    SELECT '', 'events', toDate(min(loads.committed_at))
    FROM {raw:Identifier}.rejected_rows AS rejected
    INNER JOIN {raw:Identifier}.loads AS loads FINAL ON rejected.load_id = loads.load_id
    HAVING count() > 0
    UNION ALL
    SELECT tenant_id, 'daily', min(date)
    FROM (
        SELECT tenant_id, date FROM {raw:Identifier}.kept_session_stats
        UNION ALL
        SELECT tenant_id, date FROM {raw:Identifier}.kept_event_hours
    )
    GROUP BY tenant_id
"""
_EVENTS_BEFORE = """
    SELECT count() FROM {raw:Identifier}.events WHERE tenant_id = {tenant:String} AND event_date < {before:Date}
"""
_REJECTED_BEFORE = """
    SELECT count()
    FROM {raw:Identifier}.rejected_rows
    WHERE load_id IN (SELECT load_id FROM {raw:Identifier}.loads FINAL WHERE committed_at < {before:Date})
"""
_DAYS_BEFORE = """
    SELECT uniqExact(date)
    FROM (
        SELECT tenant_id, date FROM {raw:Identifier}.kept_session_stats
        UNION ALL
        SELECT tenant_id, date FROM {raw:Identifier}.kept_event_hours
        UNION ALL
        SELECT tenant_id, event_date FROM {raw:Identifier}.events WHERE event_date < {events_before:Date}
    )
    WHERE tenant_id = {tenant:String} AND date < {before:Date}
"""
_NEVER = date(1970, 1, 1)


@dataclass(frozen=True)
class Policy:
    """Of a tenant ('': of whoever has no policy of their own), what is kept for how many days; 0: for ever."""

    tenant: str
    what: str
    keep_days: int


@dataclass(frozen=True)
class Due:
    """A cut that is called for, the first day that it takes something of, and how many rows (`DAILY`: days)."""

    cut: Cut
    first: date
    rows: int

    @property
    def sentence(self) -> str:
        """What it takes: `events of tenant shop before 2026-01-01, from 2025-11-02 on: 1,204 rows`."""
        cut = self.cut
        what = "daily figures" if cut.what == DAILY else "events"
        of = f"{what} of tenant {cut.tenant}" if cut.tenant else "rejected rows"
        unit = "day" if cut.what == DAILY else "row"
        return f"{of} before {cut.before}, from {self.first} on: {self.rows:,} {unit}{'' if self.rows == 1 else 's'}"


def policies(warehouse: Warehouse) -> list[Policy]:
    """All policies, those of all tenants first."""
    raw_tables.create(warehouse)
    raw = warehouse.settings.raw_database
    with warehouse.client() as client:
        return [Policy(*row) for row in client.query(_POLICIES, parameters={"raw": raw}).result_rows]


def set_policy(warehouse: Warehouse, policy: Policy) -> None:
    """Set a policy in the place of the one that the tenant has for this."""
    raw_tables.create(warehouse)
    row = [policy.tenant, policy.what, policy.keep_days, datetime.now(UTC)]
    with warehouse.client() as client:
        client.insert("retention_policies", [row], database=warehouse.settings.raw_database)


def remove_policy(warehouse: Warehouse, tenant: str, what: str) -> None:
    """Remove a policy. Raises FootfallError if there is none."""
    if not any((policy.tenant, policy.what) == (tenant, what) for policy in policies(warehouse)):
        raise FootfallError(
            f"There is no policy on {what} of {named(tenant)}.", "`footfall retention-policies list` lists them."
        )
    with warehouse.client() as client:
        client.command(
            "DELETE FROM {raw:Identifier}.retention_policies"
            " WHERE tenant_id = {tenant:String} AND what = {what:String}",
            parameters={"raw": warehouse.settings.raw_database, "tenant": tenant, "what": what},
        )


def named(tenant: str) -> str:
    """What a tenant of a policy is called in a sentence."""
    return f"tenant {tenant}" if tenant else "all tenants without one of their own"


def due(warehouse: Warehouse, today: date) -> list[Due]:
    """The cuts that the policies call for on a UTC day, of tenants that have anything older."""
    raw = warehouse.settings.raw_database
    days = {(policy.tenant, policy.what): policy.keep_days for policy in policies(warehouse)}

    def before(tenant: str, what: str) -> date:
        keep = days.get((tenant, what), days.get(("", what), 0))
        return today - timedelta(days=keep) if keep else _NEVER

    found = []
    with warehouse.client() as client:
        rows = client.query(_OLDEST, parameters={"raw": raw}).result_rows
        oldest: dict[tuple[str, str], date] = {(tenant, what): first for tenant, what, first in rows}
        for tenant in sorted({tenant for tenant, _ in oldest}):
            events_before, daily_before = before(tenant, EVENTS), before(tenant, DAILY)
            first = oldest.get((tenant, EVENTS), today)
            names = {"raw": raw, "tenant": tenant, "before": events_before, "events_before": events_before}
            figures = oldest.get((tenant, DAILY), today)
            if first < events_before:
                counting = _EVENTS_BEFORE if tenant else _REJECTED_BEFORE
                count = int(client.query(counting, parameters=names).first_row[0])
                found.append(Due(Cut(tenant, EVENTS, events_before), first, count))
                # the figures of these days become such that are kept
                figures = min(figures, first) if tenant else figures
            if figures < daily_before:
                count = int(client.query(_DAYS_BEFORE, parameters=names | {"before": daily_before}).first_row[0])
                found.append(Due(Cut(tenant, DAILY, daily_before), figures, count))
    return found


def apply(warehouse: Warehouse, today: date, builds: Builds, wait_seconds: float = 0.0) -> tuple[list[Due], list[str]]:
    """Cut what the policies call for on a UTC day, build without it, and take it out of the disk.

    Returns the cuts, and files with such rows that are not ours to rewrite. Waits so long for others that write. Raises
    FootfallError if a build fails.
    """
    raw_tables.create(warehouse)
    files = _finish(warehouse, builds, wait_seconds)  # what was broken off; what stays is taken from what is published
    with exclusive(warehouse, _DOING, wait_seconds):
        if not builds.nothing_waits(warehouse):
            raise FootfallError("Something was loaded meanwhile.", "Run the same command again.")
        cut = due(warehouse, today)
        if not cut:
            return [], files
        settings = warehouse.settings
        with warehouse.client() as client:
            cuts.commit(client, settings.raw_database, settings.database, [one.cut for one in cut])
    return cut, sorted({*files, *_finish(warehouse, builds, wait_seconds)})


def _finish(warehouse: Warehouse, builds: Builds, wait_seconds: float) -> list[str]:
    """Build what waits, and take what committed cuts and erasures took out of the disk, if there is anything."""
    while True:
        builds.catch_up(warehouse)
        with exclusive(warehouse, _DOING, wait_seconds):
            if builds.nothing_waits(warehouse):
                return purge.purge_if_needed(warehouse)
