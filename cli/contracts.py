"""`footfall contracts`: whose rows are understood, and how a file would be read."""

from collections.abc import Mapping
from pathlib import Path

from cli.console import out, print_table
from ingest import contract, trial
from ingest.recognition import Options
from warehouse.connection import connect
from warehouse.settings import get_settings

# Of a rejected row no more is shown.
_SHOWN = 200


def run_list() -> None:
    """Print a line per contract for events: its name, what it reads, and what a row of it has."""
    found = contract.contracts(get_settings())
    rows = [(one.name, one.title, _signatures(one) or "what no other recognises") for one in found]
    print_table(("Name", "What it reads", "A row has"), rows)


def _signatures(one: contract.Contract) -> str:
    return " or ".join(" + ".join(paths) for paths in one.recognised_by)


def run_check(
    file: Path,
    *,
    tenant: str,
    mapping: Mapping[str, str],
    constants: Mapping[str, str],
    contract: str,
    timezone: str,
) -> None:
    """Print which contract reads how many rows of a file, what is found where, and what would be rejected."""
    with connect(get_settings()) as warehouse:
        found = trial.of_file(warehouse, file, Options(tenant, mapping, constants, contract, timezone))
    rejected = sum(one.rows for one in found.rejections)
    for part in found.parts:
        out().print(f"{part.contract.name}: {part.rows:,} of {rejected + found.rows_accepted:,} events")
        out().print(part.contract.title)
        rows = {(one.field, one.path): f"{one.rows:,}" for one in part.found if one.rows}
        print_table(("Field", "Path", "Rows"), [(field, path, n) for (field, path), n in rows.items()], {"Rows"})
        constant = {field for field, rule in part.contract.fields.items() if rule.constant is not None}
        absent = [field for field in part.contract.fields if field not in {field for field, _ in rows} | constant]
        if absent:
            out().print(f"In no row: {', '.join(absent)}")
        out().print()
    out().print(f"{found.rows_accepted:,} would be accepted, {rejected:,} rejected.")
    for one in found.rejections:
        out().print(f"  {one.reason}: {one.rows:,}, first in line {one.first_line}: {one.original[:_SHOWN]}")
    for sentence in found.sentences:
        out().print(f"  {sentence}")
    if found.rows_without_tenant:
        out().print(f"  {found.rows_without_tenant:,} name no tenant: load them with --tenant.")
