"""The tables of docs/event-contract.md say what the contracts say."""

import re

from ingest.contract import BUNDLED
from ingest.contract_tables import PAGE, all_tables, written


def test_the_tables_of_the_page_are_those_of_the_contracts() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert written(page) == page, "run: python -m ingest.contract_tables"


def test_every_table_is_on_the_page_and_every_contract_in_a_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"<!-- table: ([a-z]+) -->", page)) == set(all_tables())
    others = {"general", "identity_mappings", "funnel_steps", "retention_definitions"}
    trackers = {file.stem for file in BUNDLED.glob("*.yml")} - others
    assert trackers == set(re.findall(r"^### (\w+)$", page, re.MULTILINE))
