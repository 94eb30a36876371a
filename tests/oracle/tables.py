"""The lines of all loads that stand in, every published table out."""

from dataclasses import dataclass, field

from tests.oracle import attribution, funnels, identity, people, reading, retention, sessions
from tests.oracle.reading import Event, Row


@dataclass(frozen=True)
class Line:
    """A row of a load: `load` counts the loads in their order, `number` the rows of a file."""

    table: str
    load: int
    number: int
    row: Row
    hash: str = field(default="", compare=False)  # the id of an event that has none


def tables_of(lines: list[Line], name_of: sessions.NameOf, secret: str) -> dict[str, list[Row]]:
    """Every published table. `name_of` says how a derived session is called, `secret` is the key of tracking ids."""
    events = reading.winners(
        [(line.load, line.number, reading.event_of(line.row, line.hash)) for line in lines if line.table == "events"]
    )
    mappings = [identity.mapping_of(line.row) for line in lines if line.table == "identity_mappings"]
    known = identity.identities(events, mappings)

    session_rows = sessions.session_rows(sessions.visits(events, name_of), known)
    touches = attribution.touches_of(session_rows)
    users = people.user_rows(events, known, session_rows, touches, secret)

    # beyond a tenant's last event nothing is known
    last_days = {event["tenant_id"]: event["event_date"] for event in sessions.in_order(events)}
    steps = funnels.step_rows(_of(lines, "funnel_steps"), set(last_days))
    reached = funnels.funnel_rows(events, known, steps)
    definitions = retention.holding_definitions(_of(lines, "retention_definitions"), set(last_days))
    cells = retention.retention_rows(events, known, definitions, last_days)

    return {
        "events": [_published(event, known) for event in events],
        "identities": identity.identity_rows(known),
        "identity_conflicts": known.conflicts,
        "users": users,
        "sessions": session_rows,
        "session_stats_daily": sessions.stats_rows(session_rows),
        "user_attribution": attribution.attribution_rows(users, touches),
        "attribution_credit": attribution.credit_rows(events, known, touches),
        "funnel_steps": steps,
        "funnel_events": reached,
        "funnel_conversions_daily": funnels.conversion_rows(reached, steps, last_days),
        "retention_definitions": retention.definition_rows(_of(lines, "retention_definitions")),
        "retention": cells,
        "retention_cohorts": retention.cohort_rows(cells, definitions, last_days),
        "user_days": people.user_day_rows(events, known, session_rows),
        "events_hourly": people.hour_rows(events, known),
    }


def _of(lines: list[Line], table: str) -> list[tuple[int, int, Row]]:
    return [(line.load, line.number, line.row) for line in lines if line.table == table]


def _published(event: Event, known: identity.Identities) -> Row:
    """An event as the table `events` shows it: with its person."""
    return event | {
        "user_id": identity.person(event, known),
        "received_at": event["received_at"] or event["timestamp"],
    }
