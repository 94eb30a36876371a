"""`footfall funnels` and `footfall retention-definitions`: list the definitions, and drop one."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from cli.console import out, print_table
from ingest import commands
from ingest.tables import FUNNEL_STEPS, RETENTION_DEFINITIONS
from warehouse.connection import Warehouse, connect
from warehouse.errors import UsageError
from warehouse.lock import exclusive
from warehouse.settings import get_settings

_LOADED = """
    SELECT definitions.*, load_seq, load_order, superseded_seq, path
    FROM {raw:Identifier}.{table:Identifier} AS definitions
    INNER JOIN
    (
        SELECT load_id, load_seq, load_order, superseded_seq, path FROM {raw:Identifier}.loads FINAL WHERE load_seq > 0
    ) AS loads USING (load_id)
    ORDER BY line
"""
# The seed speaks before all loads, and as long as no load does.
_SEEDED = """
    SELECT *, 0 AS is_deleted, 0 AS load_seq, 0 AS load_order, 0 AS superseded_seq, '' AS path
    FROM {database:Identifier}.{seed:Identifier}
"""

_Rows = Sequence[dict[str, Any]]


def _funnel_details(rows: _Rows) -> tuple[str, ...]:
    steps = sorted(rows, key=lambda row: row["step_number"])
    return " > ".join(step["step_name"] for step in steps), str(steps[0]["window_seconds"]), steps[0]["mode"]


def _retention_details(rows: _Rows) -> tuple[str, ...]:
    last = rows[-1]
    events = [
        f"{last[f'{side}_event'] or 'any event'} {last[f'{side}_filter']}".strip() for side in ("target", "return")
    ]
    return (*events, last["kind"], last["period"])


@dataclass(frozen=True)
class _Kind:
    """What the two kinds of definitions differ in; `details` gives the texts of `columns`."""

    table: str
    seed: str
    what: str
    command: str
    id_column: str
    columns: tuple[str, ...]
    details: Callable[[_Rows], tuple[str, ...]]


_KINDS = {
    FUNNEL_STEPS: _Kind(
        FUNNEL_STEPS, "funnel_definitions", "funnel", "funnels", "funnel_id", ("Steps", "Window (s)", "Mode"),
        _funnel_details,
    ),
    RETENTION_DEFINITIONS: _Kind(
        RETENTION_DEFINITIONS, "retention_definitions_default", "retention definition", "retention-definitions",
        "retention_id", ("Target", "Return", "Kind", "Period"), _retention_details,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class _Said:
    """What one load, or the seed (`load_seq` 0), says of a definition; `tenant` '' means all tenants."""

    tenant: str
    id: str
    load_seq: int
    load_order: int
    superseded_seq: int
    path: str
    is_deleted: bool
    name: str
    details: tuple[str, ...]


def run_list(table: str, tenant: str) -> None:
    """Print the definitions that hold, now or in the published tables: those for all and a tenant's, or everybody's."""
    from orchestration.plan import published_seq

    kind = _KINDS[table]
    with connect(get_settings()) as warehouse:
        said = _said(warehouse, kind)
        built_seq = published_seq(warehouse)
    of_all = groupby((each for each in said if not each.tenant), key=lambda each: each.id)
    for_all = {definition_id for definition_id, group in of_all if _holding(list(group))}
    rows: list[Sequence[str]] = []
    for (of_tenant, definition_id), group in groupby(said, key=lambda each: (each.tenant, each.id)):
        if tenant in ("", of_tenant) or not of_tenant:
            of_one = list(group)
            rows += _line(of_one, built_seq or 0)
            if of_tenant and (latest := _latest(of_one)) and latest.is_deleted and definition_id in for_all:
                rows.append(_none_for_tenant(latest, kind))
    if not rows:
        out().print(f"There is no {kind.what}.")
        return
    print_table(("Tenant", "Id", "Name", *kind.columns, "From", "State"), rows, right={"Window (s)"})


def _none_for_tenant(dropped: _Said, kind: _Kind) -> Sequence[str]:
    """The line of a tenant that is to have nothing under an id that all others have."""
    source = f"load {dropped.load_seq}: {dropped.path}"
    return (dropped.tenant, dropped.id, "", *("" for _ in kind.columns), source, "not for this tenant")


def _line(said: Sequence[_Said], built_seq: int) -> list[Sequence[str]]:
    """The line of a definition that holds, or that is still published; none for others."""
    now, built = _holding(said), _holding(said, built_seq)
    if now is not None:
        state = "published" if now == built else "waits to be built"
    elif built is not None:
        state = "dropped, waits to be built"
    shown = now or built
    if shown is None:
        return []
    source = f"load {shown.load_seq}: {shown.path}" if shown.load_seq else "seed"
    return [(shown.tenant or "(all)", shown.id, shown.name, *shown.details, source, state)]


def _latest(said: Iterable[_Said], seq: int | None = None) -> _Said | None:
    """The latest that stands: now, or after the loads up to `seq`."""
    standing = (
        each
        for each in said
        if (not each.superseded_seq if seq is None else each.load_seq <= seq and not 0 < each.superseded_seq <= seq)
    )
    return max(standing, key=lambda each: each.load_order, default=None)


def _holding(said: Iterable[_Said], seq: int | None = None) -> _Said | None:
    latest = _latest(said, seq)
    return None if latest is None or latest.is_deleted else latest


def run_drop(table: str, definition_id: str, tenant: str) -> None:
    """Drop a definition for a tenant; without one for all, and for every tenant that has its own.

    Raises UsageError if there is nothing to drop.
    """
    kind = _KINDS[table]
    settings = get_settings()
    with connect(settings) as warehouse, exclusive(warehouse, f"{kind.command} drop"):
        said = [each for each in _said(warehouse, kind) if each.id == definition_id]
        tenants = _having(said, tenant)
        if not tenants:
            whom = f" for {tenant}" if tenant else ""
            raise UsageError(
                f"There is no {kind.what} {definition_id!r}{whom}.", f"footfall {kind.command} lists them."
            )
        words = [kind.command, "drop", definition_id, *(("--tenant", tenant) if tenant else ())]
        rows = [{"tenant_id": of, kind.id_column: definition_id, "is_deleted": 1} for of in tenants]
        load = commands.commit(warehouse, kind.table, commands.path_of(*words), rows)
    whom = " and ".join(of or "all tenants" for of in tenants)
    out().print(
        f"Dropped the {kind.what} {definition_id} for {whom}, with the next footfall build. To bring it back: footfall"
        f" unload {load.load_seq}"
    )


def _having(said: Sequence[_Said], tenant: str) -> list[str]:
    """The tenants ('': all) whose definition has to go, so that this tenant, or nobody, has it any more."""
    latest = {of: _latest(list(of_one)) for of, of_one in groupby(said, key=lambda each: each.tenant)}
    having = sorted(of for of, each in latest.items() if each and not each.is_deleted)
    if not tenant:
        return having
    # a tenant has the one for all, unless a statement of its own says otherwise
    return [tenant] if tenant in having or ("" in having and not latest.get(tenant)) else []


def _said(warehouse: Warehouse, kind: _Kind) -> list[_Said]:
    """All that was ever loaded of such definitions, and the seed, by tenant and id."""
    raw, database = warehouse.settings.raw_database, warehouse.settings.database
    rows: list[dict[str, Any]] = []
    with warehouse.client() as client:
        if warehouse.has_table(raw, "loads"):
            names = {"raw": raw, "table": kind.table}
            rows += client.query(_LOADED, parameters=names).named_results()
        # it reaches the warehouse with the first build
        if warehouse.has_table(database, kind.seed):
            rows += client.query(_SEEDED, parameters={"database": database, "seed": kind.seed}).named_results()

    def key(row: dict[str, Any]) -> tuple[str, str, int]:
        return row["tenant_id"], row[kind.id_column], row["load_seq"]

    found = []
    for (tenant, definition_id, load_seq), group in groupby(sorted(rows, key=key), key=key):
        of_load = list(group)
        found.append(
            _Said(
                tenant=tenant,
                id=definition_id,
                load_seq=load_seq,
                load_order=of_load[0]["load_order"],
                superseded_seq=of_load[0]["superseded_seq"],
                path=of_load[0]["path"],
                is_deleted=_is_deleted(kind, of_load),
                name=of_load[-1]["name"],
                details=kind.details(of_load),
            )
        )
    return found


def _is_deleted(kind: _Kind, rows: _Rows) -> bool:
    """Of a funnel any row says so for the whole; of a retention definition the last one holds."""
    # a warehouse that an older version loaded does not have the column yet
    return any(row.get("is_deleted") for row in (rows if kind.table == FUNNEL_STEPS else rows[-1:]))
