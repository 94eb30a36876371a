"""How much of a file may be rejected."""

import os
from contextlib import suppress

from ingest.ledger import Load
from ingest.tables import Table
from warehouse.errors import UsageError

# Of a file with more rejected rows than this share something else is wrong than a few rows.
MAX_REJECTED_SHARE = 0.1


def max_rejected_share() -> float:
    """The share of rejected rows above which a load is not committed: FOOTFALL_MAX_REJECTED_SHARE, else 10 %.

    Raises UsageError if that is no number from 0 to 1.
    """
    given = os.environ.get("FOOTFALL_MAX_REJECTED_SHARE") or str(MAX_REJECTED_SHARE)
    with suppress(ValueError):
        share = float(given)
        if 0 <= share <= 1:
            return share
    raise UsageError(
        f"FOOTFALL_MAX_REJECTED_SHARE is {given!r}, which is no number from 0 to 1.", "Give a share such as 0.1."
    )


def limit_of(table: Table) -> float:
    """The share of rejected rows above which a load of a table is not committed: none at all where half a file would be
    wrong.
    """
    return 0.0 if table.any_rejection_fails else max_rejected_share()


def is_refused(table: Table, load: Load) -> bool:
    """Whether too many rows of a load were rejected. One row alone says nothing about a file that has good rows,
    however small it is, unless any row does.
    """
    is_one = load.rows_rejected == 1 and load.rows_accepted > 0 and not table.any_rejection_fails
    return not is_one and load.rows_rejected > limit_of(table) * (load.rows_accepted + load.rows_rejected)
