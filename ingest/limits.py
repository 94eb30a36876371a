"""How much of a file may be rejected."""

import os
from contextlib import suppress

from ingest.tables import Table
from warehouse.errors import UsageError

# Of a file with more rejected rows than this share something else is wrong than a few rows.
MAX_REJECTED_SHARE = 0.1


def max_rejected_share(table: Table) -> float:
    """The share of rejected rows above which a load is not committed: FOOTFALL_MAX_REJECTED_SHARE, else 10 %; none at
    all for tables of which half a file would be wrong.

    Raises UsageError if that is no number from 0 to 1.
    """
    given = os.environ.get("FOOTFALL_MAX_REJECTED_SHARE") or str(MAX_REJECTED_SHARE)
    with suppress(ValueError):
        share = float(given)
        if 0 <= share <= 1:
            return 0.0 if table.any_rejection_fails else share
    raise UsageError(
        f"FOOTFALL_MAX_REJECTED_SHARE is {given!r}, which is no number from 0 to 1.", "Give a share such as 0.1."
    )
