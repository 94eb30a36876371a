"""`footfall tenants`: who is in the published tables, and whose loads wait."""

from datetime import date

from cli.console import out, print_table
from warehouse.connection import Warehouse, connect
from warehouse.settings import get_settings

_PUBLISHED = """
    SELECT tenant_id, people, events, first_day, last_day
    FROM
    (
        SELECT tenant_id, sum(events_count) AS events, min(date) AS first_day, max(date) AS last_day
        FROM {db:Identifier}.events_hourly GROUP BY tenant_id
    ) AS hours
    LEFT JOIN (SELECT tenant_id, count() AS people FROM {db:Identifier}.users GROUP BY tenant_id) AS users
        USING (tenant_id)
"""

# The rows of loads that came or went since the last build.
_WAITING = """
    SELECT tenant_id, uniqExact(load_id)
    FROM
    (
        SELECT tenant_id, load_id FROM {raw:Identifier}.events
        UNION ALL
        SELECT tenant_id, load_id FROM {raw:Identifier}.identity_mappings
        UNION ALL
        SELECT tenant_id, load_id FROM {raw:Identifier}.funnel_steps
        UNION ALL
        SELECT tenant_id, load_id FROM {raw:Identifier}.retention_definitions
    )
    WHERE load_id IN
    (
        SELECT load_id FROM {raw:Identifier}.loads FINAL
        WHERE load_seq > 0 AND greatest(load_seq, superseded_seq) > {seq:UInt64}
    )
    GROUP BY tenant_id
"""


def run_tenants() -> None:
    """Print a line per tenant with published events or with loads that wait."""
    from orchestration.plan import published_seq

    with connect(get_settings()) as warehouse:
        seq = published_seq(warehouse)
        published = _published(warehouse) if seq is not None else {}
        waiting = _waiting(warehouse, seq or 0)
    rows = [
        (
            tenant or "(for all tenants)",
            *published.get(tenant, ("0", "0", "", "")),
            f"{waiting[tenant]:,}" if tenant in waiting else "",
        )
        for tenant in sorted(published.keys() | waiting.keys())
    ]
    if not rows:
        out().print("There is no tenant yet: nothing has been loaded.")
        return
    columns = ("Tenant", "People", "Events", "First day", "Last day", "Loads waiting")
    print_table(columns, rows, right={"People", "Events", "Loads waiting"})


def _published(warehouse: Warehouse) -> dict[str, tuple[str, str, str, str]]:
    with warehouse.client() as client:
        rows = client.query(_PUBLISHED, parameters={"db": warehouse.settings.database}).result_rows
    return {
        tenant: (f"{people:,}", f"{events:,}", _day(first_day), _day(last_day))
        for tenant, people, events, first_day, last_day in rows
    }


def _day(day: date) -> str:
    return day.isoformat()


def _waiting(warehouse: Warehouse, seq: int) -> dict[str, int]:
    raw = warehouse.settings.raw_database
    if not warehouse.has_table(raw, "loads"):
        return {}
    with warehouse.client() as client:
        return dict(client.query(_WAITING, parameters={"raw": raw, "seq": seq}).result_rows)
