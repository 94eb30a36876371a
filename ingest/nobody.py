"""The words that mean nobody: a seed of the models, read here as well, so that there is one list."""

import csv
import re
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


@cache
def pattern() -> str:
    """The pattern of all texts that mean nobody, whatever their case and what stands around them."""
    around = r"[\s\"'`]*"
    return f"^(?i:{around}(?:{'|'.join(_escaped(word) for word in words())}){around})$"


def _escaped(word: str) -> str:
    return re.sub(r"([^A-Za-z0-9_ -])", r"\\\1", word)
