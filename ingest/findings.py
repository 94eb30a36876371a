"""What the rows of a load were, as the warehouse counted them while it wrote them: raw.load_counts."""

from dataclasses import dataclass

from clickhouse_connect.driver.client import Client

from ingest.contract import GENERAL
from ingest.tables import TABLES

# No more tenants of a file are told by name.
_TENANTS_TOLD = 3


@dataclass(frozen=True)
class Findings:
    """Of one load: rows, tenants and accepted rows by tracker, rows of nobody, values that could not be read, and which
    of the user's own paths some row has (a bit for each, in the order they were given).
    """

    rows: int = 0
    tenants: tuple[str, ...] = ()
    trackers: tuple[tuple[str, int], ...] = ()
    rows_of_nobody: int = 0
    unreadable_amounts: int = 0
    unreadable_times: int = 0
    mapped: int = 0

    @property
    def tracker(self) -> str:
        """Whose rows they were: `ga4`, or `ga4 900, segment 300`; '' if they have no tracker's own form."""
        if len(self.trackers) == 1:
            name = self.trackers[0][0]
            return "" if name in (GENERAL, *TABLES) else name
        return ", ".join(f"{name} {count:,}" for name, count in self.trackers)

    @property
    def sentences(self) -> list[str]:
        """What a user should know of them beside the numbers of rows."""
        told = []
        if self.tenants:
            more = len(self.tenants) - _TENANTS_TOLD
            names = ", ".join(self.tenants[:_TENANTS_TOLD]) + (f" and {more:,} more" if more > 0 else "")
            told.append(f"tenant{'s' if len(self.tenants) > 1 else ''} {names}")
        if self.rows_of_nobody:
            told.append(f"{self.rows_of_nobody:,} of nobody")
        if self.unreadable_amounts:
            told.append(f"{_counted(self.unreadable_amounts, 'amount')} not readable")
        if self.unreadable_times:
            told.append(f"{_counted(self.unreadable_times, 'received_at')} not readable")
        return told


def of_load(client: Client, raw: str, load_id: str) -> Findings:
    """The findings of a load that has been written, committed or not."""
    row = client.query(
        """
        SELECT
            sumIf(n, is_read),
            arraySort(groupUniqArrayIf(tenant_id, is_accepted AND is_read AND tenant_id != '')),
            arraySort(one -> (-one.2, one.1), arrayFilter(one -> one.2 > 0, arrayZip(
                (sumMapIf([tracker], [n], is_read AND is_accepted) AS by_tracker).1, by_tracker.2
            ))),
            sumIf(n, is_read AND is_accepted AND is_of_nobody),
            sumIf(n, is_read AND is_accepted AND unreadable_amounts),
            sumIf(n, is_read AND is_accepted AND unreadable_times),
            groupBitOr(mapped)
        FROM
        (
            SELECT * EXCEPT `rows`, `rows` AS n
            FROM {raw:Identifier}.load_counts
            WHERE load_id = {load_id:String}
        )
        """,
        parameters={"raw": raw, "load_id": load_id},
    ).first_row
    rows, tenants, trackers, *numbers = row
    return Findings(int(rows), tuple(tenants), tuple((name, int(n)) for name, n in trackers), *map(int, numbers))


def left_trackers(client: Client, raw: str, load_id: str) -> list[str]:
    """The trackers of rows that the first reading of a load left; '' for rows that no contract recognises."""
    found = client.query(
        """
        SELECT DISTINCT tracker FROM {raw:Identifier}.load_counts
        WHERE load_id = {load_id:String} AND NOT is_read ORDER BY tracker
        """,
        parameters={"raw": raw, "load_id": load_id},
    )
    return [str(row[0]) for row in found.result_rows]


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' if number > 1 and noun != 'received_at' else ''}"
