"""How many rows of a load were accepted, rejected and duplicate: asked of the raw tables before it is committed."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date

from clickhouse_connect.driver.client import Client

from ingest.ledger import Load, query_id
from ingest.tables import EVENTS

# Rows whose keys are compared at a time; a set of as many keys takes some hundred megabytes.
_ROWS_OF_A_SPAN = 1_000_000

_DUPLICATES = """
    WITH mine AS (
        SELECT tenant_id, event_date, event_id
        FROM {raw:Identifier}.events
        WHERE load_id = {load_id:String} AND event_date BETWEEN {first:Date} AND {last:Date}
    )
    SELECT
        (SELECT count() - uniqExact(sipHash64(tenant_id, event_date, event_id)) FROM mine)
        + (
            SELECT uniqExact(sipHash64(tenant_id, event_date, event_id))
            FROM {raw:Identifier}.events
            WHERE
                event_date BETWEEN {first:Date} AND {last:Date}
                AND load_id IN (
                    SELECT load_id
                    FROM {raw:Identifier}.loads FINAL
                    WHERE status = 'committed' AND `table` = 'events' AND load_seq NOT IN {gone:Array(UInt64)}
                )
                AND (tenant_id, event_date, event_id) IN mine
        )
"""

# Of versions without a received_at the one that was loaded last is the event. Few keys have several versions, and only
# of those are whole rows read.
_CORRECTED = """
    WITH
        mine AS
        (
            SELECT tenant_id, event_date, event_id
            FROM {raw:Identifier}.events
            WHERE load_id = {load_id:String} AND event_date BETWEEN {first:Date} AND {last:Date}
        ),
        standing AS
        (
            SELECT load_id, load_order
            FROM {raw:Identifier}.loads FINAL
            WHERE status = 'committed' AND `table` = 'events' AND load_seq NOT IN {gone:Array(UInt64)}
            UNION ALL
            SELECT {load_id:String}, toUInt64(0)
        ),
        several AS
        (
            SELECT tenant_id, event_date, event_id
            FROM {raw:Identifier}.events
            WHERE
                event_date BETWEEN {first:Date} AND {last:Date}
                AND load_id IN (SELECT load_id FROM standing)
                AND (tenant_id, event_date, event_id) IN mine
            GROUP BY tenant_id, event_date, event_id
            HAVING count() > 1
        ),
        versions AS
        (
            SELECT
                tenant_id, event_date, event_id, load_id, line, received_at,
                -- as text, because a hash of anything that is NULL is NULL
                sipHash128(toString(tuple(* EXCEPT (load_id, line)))) AS content
            FROM {raw:Identifier}.events
            WHERE
                event_date BETWEEN {first:Date} AND {last:Date}
                AND load_id IN (SELECT load_id FROM standing)
                AND (tenant_id, event_date, event_id) IN several
        )
    SELECT count()
    FROM
    (
        SELECT
            argMaxIf(content, line, load_id = {load_id:String}) AS now,
            if(
                countIf(load_id != {load_id:String}) = 0,
                argMin(content, line),
                argMaxIf(content, (load_order, line), load_id != {load_id:String})
            ) AS before
        FROM versions
        INNER JOIN standing USING (load_id)
        GROUP BY tenant_id, event_date, event_id
        HAVING countIf(isNotNull(received_at)) = 0 AND now != before
    )
"""


def counted(client: Client, raw: str, load: Load, superseded: Sequence[Load]) -> tuple[Load, str]:
    """The load with the numbers of its rows, and why some of them were rejected."""
    names = {"raw": raw, "table": load.table, "load_id": load.load_id}
    accepted = client.query(
        "SELECT count() FROM {raw:Identifier}.{table:Identifier} WHERE load_id = {load_id:String}",
        parameters=names,
        settings=_settings(raw, load.load_id),
    ).result_rows[0][0]
    reasons = client.query(
        "SELECT reason, count() AS n, min(line) FROM {raw:Identifier}.rejected_rows "
        "WHERE load_id = {load_id:String} GROUP BY reason ORDER BY n DESC, reason",
        parameters=names,
        settings=_settings(raw, load.load_id),
    ).result_rows
    told = "; ".join(f"{reason}: {n:,} (first in line {line})" for reason, n, line in reasons[:3])
    rejected = sum(int(n) for _, n, _ in reasons)
    duplicate = _duplicates(client, raw, load.load_id, superseded) if load.table == EVENTS and accepted else 0
    return replace(load, rows_accepted=int(accepted), rows_rejected=rejected, rows_duplicate=duplicate), told


def corrected(client: Client, raw: str, load: Load, superseded: Sequence[Load]) -> int:
    """Events that stand already, in earlier loads or lines, and of which this load says something else from now on.

    Only rows that do not say when they were received: of those the latest load's stand, within a file the later line.
    """
    if not load.rows_duplicate:
        return 0
    return _summed(client, raw, load.load_id, superseded, _CORRECTED)


def _duplicates(client: Client, raw: str, load_id: str, superseded: Sequence[Load]) -> int:
    """Accepted rows whose event stands already, earlier in this file or in a load that stands."""
    return _summed(client, raw, load_id, superseded, _DUPLICATES)


def _summed(client: Client, raw: str, load_id: str, superseded: Sequence[Load], count: str) -> int:
    """What a statement counts in the days of a load's events.

    Some days at a time, so that memory stays flat; the keys prune what is read of the days' events.
    """
    names: dict[str, object] = {"raw": raw, "load_id": load_id}
    days = client.query(
        "SELECT event_date, count() FROM {raw:Identifier}.events WHERE load_id = {load_id:String} "
        "GROUP BY event_date ORDER BY event_date",
        parameters=names,
        settings=_settings(raw, load_id),
    ).result_rows
    gone = [load.load_seq for load in superseded]
    total = 0
    for first, last in _spans(days):
        of_span = names | {"first": first, "last": last, "gone": gone}
        total += int(client.query(count, parameters=of_span, settings=_settings(raw, load_id)).result_rows[0][0])
    return total


def _settings(raw: str, load_id: str) -> dict[str, object]:
    return {"log_comment": query_id(raw, load_id)}


def _spans(days: Sequence[tuple[date, int]]) -> Iterator[tuple[date, date]]:
    """Days, given with their rows, as spans of at most _ROWS_OF_A_SPAN rows (of one day where a day has more)."""
    span: list[date] = []
    rows = 0
    for day, count in days:
        if span and rows + count > _ROWS_OF_A_SPAN:
            yield span[0], span[-1]
            span, rows = [], 0
        span.append(day)
        rows += count
    if span:
        yield span[0], span[-1]
