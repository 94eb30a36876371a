"""`footfall sync` and `footfall sources`: operational databases."""

from pathlib import Path

from rich.markup import escape

from cli.console import err, out, print_table
from ingest.sources import postgres, syncing
from ingest.sources.contract import SourceContract, contract_named, contracts
from ingest.sources.syncing import Options
from warehouse.connection import connect
from warehouse.errors import FootfallError, UsageError
from warehouse.lock import exclusive
from warehouse.settings import get_settings


def run_sync(name: str, options: Options) -> None:
    """Sync a source and print a line per table. Raises FootfallError if it cannot be read; nothing is loaded then."""
    settings = get_settings()
    contract = contract_named(settings.home, name)
    place = postgres.require_place(contract.name)
    unknown = sorted(set(options.without) - contract.tables.keys())
    if unknown:
        raise UsageError(f"{contract.name} has no table {unknown[0]!r}.", f"Its tables: {', '.join(contract.tables)}.")
    with connect(settings) as warehouse, exclusive(warehouse, "sync"):
        for one in syncing.sync(warehouse, contract, place, options):
            out().print(f"synced     {one.sentence}")


def run_load(name: str, file: Path, options: Options) -> None:
    """Load one table of a source from a file. `name` is source and table: `mcp_obs.mcp_server`."""
    settings = get_settings()
    source, _, table = name.partition(".")
    contract = contract_named(settings.home, source)
    with connect(settings) as warehouse, exclusive(warehouse, "load source-table"):
        one = syncing.load_file(warehouse, contract, contract.table(table), file, options)
    out().print(f"loaded     {one.sentence}")


def run_list() -> None:
    """Print the sources that are known, where they are said to be, and when they were read."""
    settings = get_settings()
    with connect(settings) as warehouse:
        read_at = syncing.read_at(warehouse)
    rows = []
    for name, contract in contracts(settings.home).items():
        moment = read_at.get(name)
        is_set = "yes" if postgres.place_of(name) else f"no: set {postgres.variable_of(name)}"
        rows.append([name, contract.description, is_set, f"{moment:%Y-%m-%d %H:%M}" if moment else "never"])
    print_table(["source", "what", "address", "read at (UTC)"], rows)


def run_grants(name: str) -> None:
    """Print the statements that make a role for reading a source, and nothing else of it."""
    settings = get_settings()
    contract = contract_named(settings.home, name)
    with postgres.opened(postgres.require_place(contract.name)) as source:
        tables = source.tables(contract)
    for line in postgres.grants(tables):
        out().print(escape(line), soft_wrap=True)


def run_check(name: str) -> None:
    """Print what of a source is there and can be read. Raises FootfallError if a sync would fail."""
    settings = get_settings()
    contract: SourceContract = contract_named(settings.home, name)
    with postgres.opened(postgres.require_place(contract.name)) as source:
        tables = source.tables(contract)
    problems = 0
    rows = []
    for table in contract.tables.values():
        found = tables.get(table.name)
        if found is None:
            rows.append([table.name, "", "not there, left out"])
            continue
        absent = {column for column, spelling in found.columns.items() if spelling is None} - set(found.missing)
        state = "; ".join(
            [f"no column for {', '.join(found.missing)}"] * bool(found.missing)
            + [f"not granted: {', '.join(found.refused)}"] * bool(found.refused)
            + [f"without {', '.join(sorted(set(absent) - set(found.missing)))}"]
            * bool(set(absent) - set(found.missing))
        )
        problems += bool(found.missing or found.refused)
        rows.append([table.name, f"{found.schema}.{found.name}", state or "complete"])
    print_table(["table", "in the source", "state"], rows)
    if not tables:
        raise FootfallError(
            f"The source {contract.name} has none of these tables.",
            f"Is {postgres.variable_of(contract.name)} the right database, and may the role see them?",
        )
    if problems:
        err().print(f"`footfall sources grants {contract.name}` prints the grants that are needed.")
        raise FootfallError(f"{problems} table{'s' * (problems > 1)} of {contract.name} cannot be read.")
