"""Events of nobody, which carry no id that means anybody: how many of the events that a build took in they are."""

from clickhouse_connect.driver.client import Client

from warehouse.connection import Warehouse

# By what was counted while the rows were written: it costs what arrived, not what is stored.
_COUNT = """
    SELECT sumIf(`rows`, is_of_nobody), sum(`rows`)
    FROM {raw:Identifier}.load_counts
    WHERE
        is_read
        AND is_accepted
        AND load_id IN (
            SELECT load_id
            FROM {raw:Identifier}.loads FINAL
            WHERE
                `table` = 'events'
                AND load_seq > (SELECT max(from_seq) FROM {db:Identifier}.int_build_range)
                AND load_seq <= (SELECT max(to_seq) FROM {db:Identifier}.int_build_range)
                AND status = 'committed'
        )
"""


def count(client: Client, warehouse: Warehouse) -> tuple[int, int]:
    """Events of nobody, and all events, of the loads that the published build took in; none of either where no build
    range is published (a project of one's own).
    """
    settings = warehouse.settings
    if not warehouse.has_table(settings.database, "int_build_range"):
        return 0, 0
    names = {"raw": settings.raw_database, "db": settings.database}
    of_nobody, events = client.query(_COUNT, parameters=names).first_row
    return int(of_nobody), int(events)
