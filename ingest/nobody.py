"""The words that mean nobody: a seed of the models, read here as well, so that there is one list."""

import csv
from functools import cache
from pathlib import Path

SEED = Path(__file__).parents[1] / "dbt_project" / "seeds" / "identity" / "nobody_ids.csv"

# Around a word these mean nothing.
_AROUND = " \t\r\n\"'`"


@cache
def words() -> list[str]:
    """Each word in lower case, without what stands around it; the empty one among them."""
    with SEED.open(encoding="utf-8", newline="") as file:
        found = {row["distinct_id"].strip(_AROUND).lower() for row in csv.DictReader(file)}
    return sorted(found | {""})
