"""What the rules leave to the project: its vars and its seeds, read as the data they are."""

import csv
from functools import cache
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[2] / "dbt_project"


@cache
def var(name: str) -> Any:
    """A number or list of `dbt_project.yml`."""
    return yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"][name]


@cache
def seed(name: str) -> list[dict[str, str]]:
    """The rows of a seed, every cell as text."""
    (path,) = (PROJECT / "seeds").rglob(f"{name}.csv")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@cache
def nobody_words() -> frozenset[str]:
    """The words that mean nobody, as `bare` gives them."""
    return frozenset(bare(row["distinct_id"]) for row in seed("nobody_ids"))


def bare(text: str) -> str:
    """An id without blanks and quotes around it, in lower case."""
    return text.strip(" \t\r\n\"'`").lower()


def is_nobody(text: str) -> bool:
    """Whether an id means nobody: empty, or one of the words, in any case, quoted or not."""
    return bare(text) == "" or bare(text) in nobody_words()
