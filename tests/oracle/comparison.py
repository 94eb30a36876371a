"""What a warehouse published, beside what the oracle says of the same loads: table by table, row by row."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

from clickhouse_connect.driver.client import Client

from tests.exactness.builds import GONE, Builder
from tests.oracle.reading import DIGITS, Row
from tests.oracle.tables import Line, tables_of
from warehouse.tracking_key import tracking_secret

# Made for the build, not for people: what a session is cut of.
NOT_COMPARED = {"session_key"}
# A share of revenue is cut to millionths.
MILLIONTH = Fraction(1, 1_000_000)
# How exact a weight of time decay is: of amounts beyond all counting more than a millionth depends on it.
PRECISION = Fraction(1, 10**12)
# What says of a row which one it is.
KEYS = {
    "tenant_id", "event_id", "event_date", "distinct_id", "anonymous_id", "rejected_user_id", "user_id", "session_id",
    "date", "conversion_event_id", "model", "funnel_id", "step_number", "entry_date", "retention_id", "cohort_date",
    "period_number", "event", "hour", "timestamp",
}  # fmt: skip

PlainRow = tuple[str, ...]


def differences(builder: Builder, database: str = "") -> list[str]:
    """Where the published tables, or those of another database, are not what the rules say of the files that stand."""
    with builder.warehouse.client(database or builder.warehouse.settings.database) as client:
        expected = tables_of(lines_of(builder, client), names_of(client), tracking_secret(builder.warehouse.settings))
        found = []
        for table, rows in expected.items():
            result = client.query(f"SELECT * FROM {table}")
            columns = [name for name in result.column_names if not name.startswith("_") and name not in NOT_COMPARED]
            published = [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]
            if table == "attribution_credit":
                found += _unlike_their_share(published, rows)
            by_rules = Counter(_plain(row, columns) for row in rows)
            as_published = Counter(_plain(row, columns) for row in published)
            found += [
                f"{table}: {difference}"
                for difference in _told(columns, by_rules - as_published, as_published - by_rules)
            ]
        return found


def _told(columns: list[str], missing: Counter[PlainRow], unexpected: Counter[PlainRow]) -> Iterator[str]:
    """The rows that differ; of two that are nearly the same only the columns that are not."""
    others = sorted(unexpected.elements())
    for row in sorted(missing.elements()):
        other = max(others, key=lambda other: sum(map(str.__eq__, row, other)), default=None)
        pairs = list(zip(columns, row, other, strict=True)) if other else []
        unlike = [f"{name} {theirs} should be {ours}" for name, ours, theirs in pairs if ours != theirs]
        if other and len(unlike) <= len(columns) / 2:
            others.remove(other)
            same = [f"{name}={ours}" for name, ours, theirs in pairs if ours == theirs and name in KEYS]
            yield f"{' '.join(same)}: {'; '.join(unlike)}"
        else:
            yield f"not there: {dict(zip(columns, row, strict=True))}"
    for other in others:
        yield f"should not be there: {dict(zip(columns, other, strict=True))}"


def lines_of(builder: Builder, client: Client) -> list[Line]:
    """The rows of the files that stand, in the order in which they were loaded."""
    hashes = _hashes(builder, client)
    return [
        Line(file.table, load, number, row, hashes.get((file.name, number), ""))
        for load, file in enumerate(builder.standing.values(), start=1)
        for number, row in enumerate(file.rows, start=1)
        if row != GONE
    ]


def _hashes(builder: Builder, client: Client) -> dict[tuple[str, int], str]:
    """The ids of events by file and line: where an event has none, only that it is a hash of the line is a rule."""
    rows = client.query(
        "SELECT loads.path AS path, events.line AS line, events.event_id AS event_id"
        " FROM {raw:Identifier}.events AS events"
        " INNER JOIN (SELECT * FROM {raw:Identifier}.loads FINAL) AS loads ON events.load_id = loads.load_id"
        " WHERE loads.status = 'committed' AND loads.superseded_seq = 0",
        parameters={"raw": builder.warehouse.settings.raw_database},
    ).result_rows
    return {(path.rpartition("/")[2], line): event_id for path, line, event_id in rows}


def names_of(client: Client) -> Any:
    """How derived sessions are called, by tenant, device and start: that it is a hash of these is all the rules say."""
    rows = client.query(
        "SELECT tenant_id, session_key, session_start, session_id FROM sessions"
        " WHERE is_derived AND NOT match(session_id, '~[0-9]+$')"
    ).result_rows
    names = {(tenant_id, key.partition(":")[2], _utc(start)): name for tenant_id, key, start, name in rows}
    if len(set(names.values())) < len(rows):
        names = {}  # two sessions of one name: nothing of them is right
    return lambda *place: names.get(place, f"session of {place}")


def _unlike_their_share(published: list[Row], expected: list[Row]) -> list[str]:
    """Credits whose revenue is not their share to the last millionth, or does not sum to that of the conversion.

    Where it is, it becomes the exact share, in both.
    """
    key = ("tenant_id", "conversion_at", "conversion_event_id", "model")
    shares = {tuple(row[name] for name in (*key, "session_id")): row["credited_revenue"] for row in expected}
    left: dict[tuple[Any, ...], Fraction] = defaultdict(Fraction)  # of a conversion's revenue
    for row in expected:
        left[tuple(row[name] for name in key)] += row["credited_revenue"] or 0
    found = []
    for row in published:
        place = tuple(_utc(row[name]) if name == "conversion_at" else row[name] for name in key)
        share, credited = shares.get((*place, row["session_id"])), row["credited_revenue"]
        if (
            share is not None
            and credited is not None
            and abs(share - Fraction(credited)) <= max(MILLIONTH, abs(share) * PRECISION)
        ):
            left[place] -= Fraction(credited)
            row["credited_revenue"] = share
        elif share is not None or credited is not None:
            found.append(f"attribution_credit: {credited} of {place} and {row['session_id']} should be {share}")
    return found + [
        f"attribution_credit: {float(rest)} of {place} has no owner" for place, rest in left.items() if rest
    ]


def _plain(row: Row, columns: list[str]) -> PlainRow:
    """A row as texts that are equal where values are."""
    return tuple(str(_plain_value(row[name])) if name in row else "no such column" for name in columns)


def _plain_value(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, Decimal):
        with localcontext(prec=DIGITS):
            return f"{value.normalize():f}"
    if isinstance(value, datetime):
        return _utc(value).isoformat()
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True, default=str)
    if isinstance(value, str) and value.startswith("{"):
        with suppress(json.JSONDecodeError):  # text that only looks like it is compared as it is
            return json.dumps(json.loads(value), sort_keys=True)
    if isinstance(value, list | tuple):
        return [_plain_value(element) for element in value]
    return value if value is None or isinstance(value, int) else str(value)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
