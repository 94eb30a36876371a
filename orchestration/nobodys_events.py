"""Events of nobody, which carry no id that means anybody: how many of all events they are."""

from clickhouse_connect.driver.client import Client


def count(client: Client, database: str) -> tuple[int, int]:
    """Events of nobody and all events by the hourly counts of a database; none of either where there are no such counts
    (a project of one's own, a version from before they were kept).
    """
    kept = client.query(
        "SELECT count() FROM system.columns WHERE database = {db:String} AND table = 'events_hourly'"
        " AND name = 'nobody_events_count'",
        parameters={"db": database},
    ).first_row[0]
    if not kept:
        return 0, 0
    of_nobody, events = client.query(
        "SELECT sum(nobody_events_count), sum(events_count) FROM {db:Identifier}.events_hourly",
        parameters={"db": database},
    ).first_row
    return int(of_nobody), int(events)
