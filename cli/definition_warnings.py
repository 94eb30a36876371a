"""What is wrong with definitions that were just loaded although they could be read: what they count never occurred."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import orjson

from ingest.tables import CLICK_IDS, FUNNEL_STEPS
from warehouse.connection import Warehouse

# As the macro event_matches has them.
OPERATORS = ("=", "!=", ">", ">=", "<", "<=", "in", "contains", "exists")

_STEPS = """
    SELECT
        tenant_id, concat('Step ', toString(step_number), ' of the funnel ', funnel_id, ' (', step_name, ')'),
        event, event_filter
    FROM {raw:Identifier}.funnel_steps
    WHERE load_id IN {loads:Array(String)} AND NOT is_deleted
    ORDER BY tenant_id, funnel_id, step_number
"""
_RETENTION = """
    SELECT tenant_id, concat('The ', side.1, ' of the retention definition ', retention_id), side.2, side.3
    FROM {raw:Identifier}.retention_definitions
    ARRAY JOIN [('target', target_event, target_filter), ('return', return_event, return_filter)] AS side
    WHERE load_id IN {loads:Array(String)} AND NOT is_deleted
    ORDER BY tenant_id, retention_id, side.1 DESC
"""
# Published events by their hours, and those that wait to be built.
_EVENTS = """
    SELECT DISTINCT tenant_id, event
    FROM {database:Identifier}.events_hourly
    WHERE event IN {events:Array(String)}
"""
_WAITING_EVENTS = """
    SELECT DISTINCT tenant_id, event
    FROM {raw:Identifier}.events
    WHERE
        event IN {events:Array(String)}
        AND load_id IN
        (
            SELECT load_id FROM {raw:Identifier}.loads FINAL
            WHERE load_seq > {seq:UInt64} AND `table` = 'events' AND status = 'committed'
        )
"""
# The name in quotes, anywhere in the properties: that is enough to tell a name that was never sent.
_HAS_PROPERTY = """
    SELECT 1
    FROM {raw:Identifier}.events
    WHERE
        {tenant:String} IN ('', tenant_id)
        AND {event:String} IN ('', event)
        AND multiSearchAny(properties, {spellings:Array(String)})
    LIMIT 1
"""
# What was dropped by a load that came later than these.
_DROPPED = """
    SELECT tenant_id, {id:Identifier}, max(load_seq)
    FROM {raw:Identifier}.{table:Identifier} AS definitions
    INNER JOIN
    (
        SELECT load_id, load_seq, load_order
        FROM {raw:Identifier}.loads FINAL
        WHERE load_seq > 0 AND superseded_seq = 0
    ) AS loads USING (load_id)
    WHERE (tenant_id, {id:Identifier}) IN
    (
        SELECT tenant_id, {id:Identifier}
        FROM {raw:Identifier}.{table:Identifier}
        WHERE load_id IN {loads:Array(String)} AND NOT is_deleted
    )
    GROUP BY tenant_id, {id:Identifier}
    HAVING argMax(is_deleted, load_order)
    ORDER BY tenant_id, {id:Identifier}
"""
_COLUMNS = """
    SELECT name FROM system.columns WHERE database = {raw:String} AND `table` = 'events'
"""


@dataclass(frozen=True)
class _Condition:
    """What a step, or a side of a retention definition (`what`), counts; `tenant` '' means all tenants."""

    tenant: str
    what: str
    event: str
    event_filter: str

    @property
    def whose(self) -> str:
        return self.tenant or "any tenant"


def warnings(warehouse: Warehouse, table: str, load_ids: Sequence[str]) -> list[str]:
    """A sentence for everything in these loads of definitions that can match no event, or none that was ever sent."""
    from orchestration.plan import published_seq

    raw = warehouse.settings.raw_database
    query = _STEPS if table == FUNNEL_STEPS else _RETENTION
    with warehouse.client() as client:
        rows = client.query(query, parameters={"raw": raw, "loads": list(load_ids)}).result_rows
    conditions = [_Condition(*row) for row in rows]
    occurred = _occurred(warehouse, {each.event for each in conditions} - {""}, published_seq(warehouse))
    found = []
    for each in conditions:
        problem = filter_problem(each.event_filter)
        if problem:
            found.append(f"{each.what} matches no event: {problem}.")
        elif each.event and not any(each.tenant in ("", tenant) for tenant, name in occurred if name == each.event):
            found.append(f"{each.what} counts the event {each.event!r}, which never occurred in {each.whose}.")
        elif each.event_filter:
            found += _unknown_properties(warehouse, each)
    return found


def dropped_since(warehouse: Warehouse, table: str, load_ids: Sequence[str]) -> list[str]:
    """A sentence for every definition of these loads, which stand, that a later load dropped."""
    id_column = "funnel_id" if table == FUNNEL_STEPS else "retention_id"
    names = {"raw": warehouse.settings.raw_database, "table": table, "id": id_column, "loads": list(load_ids)}
    with warehouse.client() as client:
        rows = client.query(_DROPPED, parameters=names).result_rows
    return [
        f"{definition_id} of {tenant or 'all tenants'} was dropped by load {seq}; footfall unload {seq} brings it back."
        for tenant, definition_id, seq in rows
    ]


def _occurred(warehouse: Warehouse, events: Collection[str], seq: int | None) -> set[tuple[str, str]]:
    """Tenants and events of those names that occurred."""
    settings = warehouse.settings
    names = {
        "raw": settings.raw_database,
        "database": settings.database,
        "events": sorted(events),
        "seq": seq or 0,
    }
    queries = [_WAITING_EVENTS] if seq is None else [_EVENTS, _WAITING_EVENTS]
    with warehouse.client() as client:
        return {
            (tenant, name) for query in queries for tenant, name in client.query(query, parameters=names).result_rows
        }


def filter_problem(event_filter: str) -> str:
    """Why a filter, which is a JSON object, can match nothing; '' if it can."""
    if not event_filter.strip():
        return ""
    for name, condition in orjson.loads(event_filter).items():
        if not isinstance(condition, dict):
            continue
        if not condition:
            return f"its filter has nothing for {name!r} to be compared with"
        for operator, operand in condition.items():
            if operator not in OPERATORS:
                return f"its filter has {operator!r} for {name!r}, which is none of {' '.join(OPERATORS)}"
            if operator == "in" and not isinstance(operand, list):
                return f"in its filter, 'in' for {name!r} needs a list"
    return ""


def _unknown_properties(warehouse: Warehouse, condition: _Condition) -> list[str]:
    """A sentence for each property of a filter that no such event ever had."""
    raw = warehouse.settings.raw_database
    found = []
    with warehouse.client() as client:
        columns = {row[0] for row in client.query(_COLUMNS, parameters={"raw": raw}).result_rows}
        for name in orjson.loads(condition.event_filter):
            if name.removeprefix("$") in {*columns, *CLICK_IDS}:
                continue
            names = {
                "raw": raw,
                "tenant": condition.tenant,
                "event": condition.event,
                "spellings": [orjson.dumps(spelling).decode() for spelling in (name, f"${name}")],
            }
            if not client.query(_HAS_PROPERTY, parameters=names).result_rows:
                of = f"events {condition.event!r}" if condition.event else "events"
                found.append(
                    f"{condition.what} asks for the property {name!r}, which no {of} of {condition.whose} had."
                )
    return found
