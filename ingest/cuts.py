"""Cuts: dates before which a tenant's events, or daily figures, are not kept.

A cut is a load. Its commit names the raw rows that do not count any more, as an erasure does, and brings what is to
stay of them: the links that the events stated, of people who have later events, and the daily figures as they were
published.
What comes later and lies before the date is counted and not kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from clickhouse_connect.driver.client import Client

from ingest import erasures, ledger
from ingest.ledger import Load

CUTS = "cuts"

# What a cut can be of. Sessions and all else that is worked out of events go with these.
EVENTS = "events"
DAILY = "daily"

# The raw tables with figures that stay, and the published tables whose rows they are.
KEPT = {"kept_session_stats": "session_stats_daily", "kept_event_hours": "events_hourly"}


@dataclass(frozen=True)
class Cut:
    """Of a tenant, what (`EVENTS` or `DAILY`) lies before a UTC day is not kept."""

    tenant: str
    what: str
    before: date


_THESE = (
    "(SELECT tenant_id, before_date FROM {raw:Identifier}.cuts WHERE load_id = {load_id:String} AND what = 'events')"
)
_TAKE_EVENTS = f"""
    INSERT INTO {{raw:Identifier}}.erased_rows
        (load_id, `table`, row_load_id, row_line, tenant_id, event_date, event_id)
    SELECT {{load_id:String}}, 'events', events.load_id, line, tenant_id, event_date, event_id
    FROM {{raw:Identifier}}.events AS events
    INNER JOIN {_THESE} AS these ON events.tenant_id = these.tenant_id
    WHERE
        events.event_date < these.before_date
        AND events.event_date < (SELECT max(before_date) FROM {_THESE})
"""  # noqa: S608 - our own text
# Rows that could not be read may be of anybody: they go with the tenant's that has no name.
_TAKE_REJECTED = """
    INSERT INTO {raw:Identifier}.erased_rows (load_id, `table`, row_load_id, row_line, tenant_id)
    SELECT {load_id:String}, 'rejected_rows', load_id, line, ''
    FROM {raw:Identifier}.rejected_rows
    WHERE
        load_id IN (
            SELECT load_id
            FROM {raw:Identifier}.loads FINAL
            WHERE
                committed_at < (
                    SELECT max(before_date) FROM {raw:Identifier}.cuts
                    WHERE load_id = {load_id:String} AND what = 'events' AND tenant_id = ''
                )
        )
"""
# The ids of people of whom something is left behind the cut, now that it is committed to what is published.
_PRESENT = f"""
    SELECT tenant_id, distinct_id
    FROM {{published:Identifier}}.identities
    WHERE
        (tenant_id, user_id) IN (
            SELECT identities.tenant_id, identities.user_id
            FROM {{published:Identifier}}.identities AS identities
            INNER JOIN {{published:Identifier}}.int_id_days AS days
                ON identities.tenant_id = days.tenant_id AND identities.distinct_id = days.distinct_id
            INNER JOIN {_THESE} AS these ON days.tenant_id = these.tenant_id
            WHERE days.event_date >= these.before_date
        )
"""  # noqa: S608 - our own text
_TAKE_KEPT_LINKS = f"""
    INSERT INTO {{raw:Identifier}}.erased_rows (load_id, `table`, row_load_id, row_line, tenant_id)
    SELECT {{load_id:String}}, 'identity_mappings', load_id, line, tenant_id
    FROM {{raw:Identifier}}.identity_mappings
    WHERE
        load_id IN (SELECT load_id FROM {{raw:Identifier}}.loads WHERE `table` = 'cuts')
        AND tenant_id IN (SELECT tenant_id FROM {_THESE})
        AND (tenant_id, anonymous_id) NOT IN ({_PRESENT})
"""  # noqa: S608 - our own text
_KEEP_LINKS = f"""
    INSERT INTO {{raw:Identifier}}.identity_mappings
        (load_id, line, tenant_id, anonymous_id, user_id, kind, first_seen_at, created_at, is_deleted)
    SELECT
        {{load_id:String}}, rowNumberInAllBlocks() + 1, tenant_id, anonymous_id, user_id, kind, first, latest, 0
    FROM (
        SELECT
            links.tenant_id AS tenant_id,
            links.anonymous_id AS anonymous_id,
            links.user_id AS user_id,
            links.kind AS kind,
            min(links.first_seen_at) AS first,
            max(links.stated_at) AS latest
        FROM {{published:Identifier}}.int_event_links AS links
        INNER JOIN {_THESE} AS these ON links.tenant_id = these.tenant_id
        WHERE
            links.event_date < these.before_date
            AND (links.tenant_id, links.anonymous_id) IN ({_PRESENT})
        GROUP BY tenant_id, anonymous_id, user_id, kind
        ORDER BY tenant_id, anonymous_id, user_id, kind
    )
"""  # noqa: S608 - our own text
_LATE = """
    SELECT DISTINCT line
    FROM {raw:Identifier}.events AS events
    INNER JOIN (
        SELECT tenant_id, max(before_date) AS before_date
        FROM {raw:Identifier}.cuts
        WHERE what = 'events' AND load_id IN (SELECT load_id FROM {raw:Identifier}.loads)
        GROUP BY tenant_id
    ) AS cuts ON events.tenant_id = cuts.tenant_id
    WHERE events.load_id = {load_id:String} AND events.event_date < cuts.before_date
"""
_CUT_FIGURES = """
    SELECT kept.tenant_id, kept.date
    FROM {raw:Identifier}.{table:Identifier} AS kept
    INNER JOIN (
        SELECT tenant_id, max(before_date) AS before_date
        FROM {raw:Identifier}.cuts
        WHERE what = 'daily' AND load_id IN (SELECT load_id FROM {raw:Identifier}.loads)
        GROUP BY tenant_id
    ) AS daily ON kept.tenant_id = daily.tenant_id
    WHERE kept.date < daily.before_date
"""


def commit(client: Client, raw: str, published: str, cuts: Sequence[Cut]) -> Load:
    """Commit cuts, all of them at once. Whatever is committed before must be published: what stays is taken from there.

    Whoever calls this holds the writer lock. Returns the line of the ledger.
    """
    remove_remains(client, raw)
    load = ledger.begun(client, raw, ledger.new_load(CUTS, "cut"))
    rows = [[load.load_id, cut.tenant, cut.what, cut.before] for cut in cuts]
    columns = ["load_id", "tenant_id", "what", "before_date"]
    client.insert("cuts", rows, column_names=columns, database=raw)
    names = {"raw": raw, "published": published, "load_id": load.load_id}
    for statement in (_TAKE_EVENTS, _TAKE_REJECTED, _TAKE_KEPT_LINKS, _KEEP_LINKS):
        client.command(statement, parameters=names)
    for kept, mart in KEPT.items():
        _keep_figures(client, names | {"kept": kept, "mart": mart})
    load = replace(load, content_hash=load.load_id, rows_accepted=len(cuts))
    return ledger.commit(client, raw, load)


def _keep_figures(client: Client, names: dict[str, str]) -> None:
    """Rows of days that are cut, unless they stay by an earlier cut already."""
    columns = [
        f"`{name}`"
        for (name,) in client.query(
            "SELECT name FROM system.columns WHERE database = {raw:String} AND `table` = {kept:String}"
            " AND name != 'load_id' ORDER BY position",
            parameters=names,
        ).result_rows
    ]
    listed = ", ".join(columns)
    client.command(
        f"""
        INSERT INTO {{raw:Identifier}}.{{kept:Identifier}} (load_id, {listed})
        SELECT {{load_id:String}}, {", ".join(f"figures.{column}" for column in columns)}
        FROM {{published:Identifier}}.{{mart:Identifier}} AS figures
        INNER JOIN {_THESE} AS these ON figures.tenant_id = these.tenant_id
        WHERE
            figures.date < these.before_date
            AND (figures.tenant_id, figures.date) NOT IN (
                SELECT tenant_id, date FROM {{raw:Identifier}}.{{kept:Identifier}}
                WHERE load_id IN (SELECT load_id FROM {{raw:Identifier}}.loads)
            )
        """,  # noqa: S608 - names of columns of our own table
        parameters=names,
    )


def remove_remains(client: Client, raw: str) -> None:
    """Delete what a cut left that broke off before it was committed."""
    ledger.remove_remains(client, raw, CUTS)
    for table in ("erased_rows", *KEPT):
        _delete_unknown(client, raw, table)
    # Here the load lies behind those of identity mappings that the ledger knows.
    ledger.remove_remains(client, raw, "identity_mappings")


def _delete_unknown(client: Client, raw: str, table: str) -> None:
    names = {"raw": raw, "table": table}
    unknown = "load_id NOT IN (SELECT load_id FROM {raw:Identifier}.loads)"
    (left,) = client.query(
        f"SELECT count() FROM {{raw:Identifier}}.{{table:Identifier}} WHERE {unknown}",  # noqa: S608 - our own text
        parameters=names,
    ).first_row
    if left:
        client.command(f"DELETE FROM {{raw:Identifier}}.{{table:Identifier}} WHERE {unknown}", parameters=names)  # noqa: S608


def drop_rows(client: Client, raw: str, load: Load) -> int:
    """Take events that lie before a cut of their tenant out of a load that is not committed yet, and their lines, from
    the disk; returns how many lines.
    """
    (cuts,) = client.query("SELECT count() FROM {raw:Identifier}.cuts", parameters={"raw": raw}).first_row
    if load.table != "events" or not cuts:
        return 0
    found = client.query(_LATE, parameters={"raw": raw, "load_id": load.load_id}).result_rows
    lines = [line for (line,) in found]
    erasures.delete_lines(client, raw, load, lines)
    return len(lines)


def has_cut_figures(client: Client, raw: str) -> bool:
    """Whether daily figures that a committed cut took are on the disk still."""
    return any(
        client.query(_CUT_FIGURES + " LIMIT 1", parameters={"raw": raw, "table": table}).result_rows for table in KEPT
    )


def delete_figures(client: Client, raw: str) -> None:
    """Delete daily figures that a committed cut took, from the disk."""
    for table in KEPT:
        client.command(
            f"ALTER TABLE {{raw:Identifier}}.{{table:Identifier}} DELETE WHERE (tenant_id, date) IN ({_CUT_FIGURES})",
            parameters={"raw": raw, "table": table},
            settings={"mutations_sync": 2},
        )
