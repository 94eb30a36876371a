"""Loads and builds as the command line does them, without Dagster around them; and comparing what came out."""

import gc
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import yaml
from dbt.cli.main import dbtRunner

from ingest import cuts, erasures, ledger, raw_tables, rereading
from ingest.contract import BUNDLED, GENERAL
from ingest.loading import load_paths
from orchestration.plan import Plan, begin, make_plan
from orchestration.project import artifacts_dir
from privacy.person import person_of
from tests.exactness.stories import File
from warehouse import publishing, tracking_key
from warehouse.connection import Warehouse

PROJECT = Path(__file__).parents[2] / "dbt_project"
# How a build came about, not what it says.
NOT_COMPARED = {"int_build_range", "build_log"}

# In the place of a row of somebody who was erased.
GONE: dict[str, Any] = {}


@dataclass
class Builder:
    """A warehouse with its files in `folder`."""

    warehouse: Warehouse
    folder: Path
    project: Path = PROJECT
    standing: dict[str, File] = field(default_factory=dict)
    runner: dbtRunner | None = None
    built_with: str = ""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        raw_tables.create(self.warehouse)
        tracking_key.store(self.warehouse)

    def load(self, file: File) -> None:
        """Load a file; one of the same name that was loaded before is superseded."""
        path = self.folder / file.name
        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in file.rows))
        results = list(load_paths(self.warehouse, file.table, [path], tenant="", mapping={}, replace=True))
        failed = [result for result in results if result.status == "failed"]
        assert not failed, failed
        if results[0].status != "skipped":
            # in the order of the loads
            self.standing.pop(file.name, None)
        self.standing[file.name] = file

    def withdraw(self, name: str) -> None:
        """Withdraw what stands of a file."""
        raw = self.warehouse.settings.raw_database
        with self.warehouse.client() as client:
            loads = [load for load in ledger.below(client, raw, str(self.folder / name)) if load.stands]
            assert loads, f"nothing stands of {name}"
            ledger.withdraw(client, raw, loads)
        del self.standing[name]

    def erase(self, tenant: str, one: str) -> None:
        """Commit the erasure of the person that an id is of, as far as it is known from what is published."""
        settings = self.warehouse.settings
        with self.warehouse.client() as client:
            person = person_of(client, settings.database, tenant, one)
            erasures.commit(client, settings.raw_database, tenant, person.ids if person else [one])

    def cut(self, tenant: str, what: str, before: date) -> None:
        """Commit a cut; whatever was loaded is published."""
        settings = self.warehouse.settings
        with self.warehouse.client() as client:
            cuts.commit(client, settings.raw_database, settings.database, [cuts.Cut(tenant, what, before)])

    def purge(self) -> None:
        """Take what erasures and cuts took out of the raw tables, once it is published that it is gone."""
        raw = self.warehouse.settings.raw_database
        with self.warehouse.client() as client:
            erasures.delete_rows(client, raw)
            cuts.delete_figures(client, raw)
            erasures.forget_rows(client, raw)

    def forget_erased(self) -> None:
        """Have the standing files without the rows of the erased; what takes their place keeps the others' numbers."""
        with self.warehouse.client(self.warehouse.settings.raw_database) as client:
            left: dict[str, set[int]] = {}
            for path, line in client.query(_LEFT).result_rows:
                left.setdefault(Path(path).name, set()).add(line)
        for name, file in self.standing.items():
            if file.table in ("events", "identity_mappings"):
                lines = left.get(name, set())
                rows = [row if line in lines else GONE for line, row in enumerate(file.rows, start=1)]
                self.standing[name] = replace(file, rows=rows)

    def read_again(self) -> int:
        """Read the lines of all loads again whose contract says something else, as a build does first. Returns how
        many there were.
        """
        with self.warehouse.client() as client:
            again = list(rereading.read_again(self.warehouse, client))
        assert not any(load.problem for load in again), again
        return len(again)

    @contextmanager
    def misreading(self, fields: Collection[str]) -> Iterator[None]:
        """While this lasts, the general contract lacks these fields."""
        contract = yaml.safe_load((BUNDLED / f"{GENERAL}.yml").read_text(encoding="utf-8"))
        contract["fields"] = {name: rule for name, rule in contract["fields"].items() if name not in fields}
        own = self.warehouse.settings.home / "contracts" / f"{GENERAL}.yml"
        own.parent.mkdir(exist_ok=True)
        own.write_text(yaml.safe_dump(contract), encoding="utf-8")
        try:
            yield
        finally:
            own.unlink()

    def build(self, *, full_refresh: bool = False, publish: bool = True, test: bool = True) -> Plan:
        """Build and test the candidate, and publish it. Raises AssertionError with what dbt says of each failure.

        Without `test` the tables are only made: enough for those that are compared with tables that were tested.
        """
        plan = self.begin(full_refresh=full_refresh)
        self.run(["--full-refresh"] if plan.full_refresh else [], test=test)
        if publish:
            self.publish()
        return plan

    def begin(self, *, full_refresh: bool = False) -> Plan:
        """Make the candidate of what there is to do, for `run` to fill."""
        with _environment(self._variables()):
            plan = make_plan(self.warehouse, full_refresh=full_refresh)
            begin(self.warehouse, plan)
        self.built_with = plan.project_hash
        return plan

    def run(self, options: Sequence[str] = (), *, test: bool = False) -> None:
        """Fill the candidate; `options` are dbt's. Raises AssertionError as `build` does."""
        artifacts = artifacts_of(self.warehouse)
        left_out = "resource_type:unit_test" if test else "resource_type:unit_test resource_type:test"
        arguments = ["build", "--exclude", left_out, "--project-dir", str(self.project)]
        arguments += ["--profiles-dir", str(self.project), "--target-path", str(artifacts / "target")]
        arguments += ["--log-path", str(artifacts / "logs"), "--log-level", "none", "--no-use-colors"]
        arguments += ["--log-level-file", "none", "--no-write-json"]
        self.runner = self.runner or dbtRunner()
        gc.disable()  # as in the builds' own dbt process: a fifth of its time
        try:
            with _environment(self._variables()):
                result = self.runner.invoke([*arguments, *options])
        finally:
            gc.enable()
        assert result.success, _failures(result)

    def publish(self) -> None:
        """Publish what was built last."""
        publishing.publish(self.warehouse, publishing.Version("", self.built_with))

    def _variables(self) -> dict[str, str]:
        return self.warehouse.environment() | {"FOOTFALL_DBT_PROJECT_DIR": str(self.project)}

    def differences(self, other: "Builder | None" = None) -> list[str]:
        """Where the published tables differ: from those of another warehouse, or from this one's own candidate."""
        theirs = other.warehouse.settings.database if other else self.warehouse.settings.next_database
        ours = self.warehouse.settings.database
        with self.warehouse.client() as client:
            tables = _columns(client, ours)
            found = [f"{table}: not in both" for table in sorted(tables.keys() ^ _columns(client, theirs).keys())]
            for table, columns in tables.items():
                rows = client.query(
                    _COMPARISON.format(columns=", ".join(f"`{column}`" for column in columns)),
                    parameters={"ours": ours, "theirs": theirs, "table": table},
                ).result_rows
                found += [f"{table}: {'only ours' if balance > 0 else 'only theirs'} {row}" for row, balance in rows]
        return found


# The lines that no erasure took, neither where they stood nor as they were loaded.
_LEFT = """
select loads.path, lines.line
from lines
inner join loads final on lines.load_id = loads.load_id
where
    loads.status = 'committed'
    and (lines.load_id, lines.line) not in (select row_load_id, row_line from erased_rows)
"""

# Rows as text, so that arrays, maps and NULLs compare; a row that is there twice counts twice. The names of its own
# begin with _, as no compared column does.
_COMPARISON = """
select _row, sum(_side) as _balance
from (
    select toString(tuple({columns})) as _row, 1 as _side from {{ours:Identifier}}.{{table:Identifier}}
    union all
    select toString(tuple({columns})) as _row, -1 as _side from {{theirs:Identifier}}.{{table:Identifier}}
)
group by _row
having _balance != 0
order by _row
limit 6
"""


def _columns(client: Any, database: str) -> dict[str, list[str]]:
    rows = client.query(
        """
        select columns.table as table_name, columns.name as column_name
        from system.columns as columns
        where
            columns.database = {db:String}
            and not startsWith(columns.name, '_')
            and not startsWith(columns.table, 'stg_')
            and not startsWith(columns.table, 'changed_')
            and not startsWith(columns.table, '_')
        order by table_name, columns.position
        """,
        parameters={"db": database},
    ).result_rows
    tables: dict[str, list[str]] = {}
    for table, column in rows:
        if table not in NOT_COMPARED:
            tables.setdefault(table, []).append(column)
    return tables


def _failures(result: Any) -> str:
    if result.result is None:
        return str(result.exception)
    return "\n".join(
        f"{found.node.name}: {found.message}" for found in result.result if found.status in ("error", "fail")
    )


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def artifacts_of(warehouse: Warehouse) -> Path:
    """Where dbt's artifacts of builds without Dagster go: parsed once for all tests on databases of these names."""
    return artifacts_dir(warehouse.settings) / "builders" / warehouse.settings.database


def beside(warehouse: Warehouse, suffix: str) -> Warehouse:
    """The same server with databases of other names; whoever asks for it drops them."""
    settings = warehouse.settings
    names = {"raw_database": f"{settings.raw_database}_{suffix}", "database": f"{settings.database}_{suffix}"}
    return replace(warehouse, settings=settings.model_copy(update=names))
