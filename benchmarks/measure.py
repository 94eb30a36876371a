"""Measures loading and building: `python -m benchmarks.measure --events 1000000 --out benchmarks/results.json`.

Everything runs in a home of its own that is removed afterwards, through the same functions as the command line. Each
figure is one run on an otherwise idle machine, so compare ratios, which come from the same run, rather than seconds.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import click
import httpx
import orjson
from rich.console import Console
from rich.table import Table

from benchmarks import single_pass
from benchmarks.generate import write_days, write_mapping_days
from cli.build import build
from ingest.loading import load_paths
from orchestration.project import project_dir
from orchestration.run import DBT
from warehouse.connection import Warehouse, connect
from warehouse.lock import exclusive
from warehouse.ports import free_ports
from warehouse.settings import Settings

FIRST_DAY = date(2026, 1, 1)
HISTORIES = (60, 3)
# What the format by itself can fill of raw.events: the fields of a line, its properties as text.
BARE_COLUMNS = (
    "uuid String, event String, distinct_id String, timestamp String, received_at String, tenant_id String, "
    "properties String"
)

# A mart that has to look at every event, with a sort and an exact count of people to do.
NEW_MART = """
{{ config(order_by=['tenant_id', 'event', 'hour']) }}
select
    tenant_id,
    event,
    toStartOfHour(timestamp) as hour,
    uniqExact(distinct_id) as ids_count,
    uniqExact(session_key) as visits_count,
    quantileExact(0.5)(length(properties)) as median_length
from {{ ref('int_events') }}
group by tenant_id, event, hour
"""

Figures = dict[str, float | int | str]


@contextmanager
def private_warehouse() -> Iterator[Warehouse]:
    """A local warehouse in a home of its own; commands in this process see it through the environment."""
    http_port, tcp_port, ui_port = free_ports(3)
    with tempfile.TemporaryDirectory(prefix="footfall-benchmark-", ignore_cleanup_errors=True) as home:
        ours = {
            "FOOTFALL_HOME": home,
            "DAGSTER_HOME": f"{home}/dagster",  # or that of the first home would stay in the environment
            "FOOTFALL_HTTP_PORT": str(http_port),
            "FOOTFALL_TCP_PORT": str(tcp_port),
            "FOOTFALL_UI_PORT": str(ui_port),
        }
        os.environ.update(ours)
        settings = Settings(home=Path(home), host=None, http_port=http_port, tcp_port=tcp_port, ui_port=ui_port)
        with connect(settings) as warehouse:
            yield warehouse


def load(warehouse: Warehouse, table: str, files: Sequence[Path]) -> int:
    """Load files and return how many rows were accepted. Raises RuntimeError if one failed."""
    with exclusive(warehouse, f"load {table}"):
        results = list(load_paths(warehouse, table, files))
    failed = [result for result in results if result.status == "failed"]
    if failed:
        raise RuntimeError(str(failed[0]))
    return sum(result.rows_accepted for result in results)


def timed_build(warehouse: Warehouse, *, full_refresh: bool = False) -> tuple[float, dict[str, float]]:
    """Seconds of one build through the Dagster job, and of each of its parts."""
    started = time.perf_counter()
    outcome = build(warehouse, full_refresh=full_refresh)
    return time.perf_counter() - started, dict(outcome.seconds) if outcome else {}


def load_speed(warehouse: Warehouse, file: Path) -> Figures:
    """One file through the loader and through a bare INSERT … FORMAT JSONEachRow, side by side, the best of three."""
    with file.open("rb") as lines:
        events = sum(1 for _ in lines)
    ours, bare = [], []
    with warehouse.client() as client:
        for number in range(3):
            names = {"raw_database": f"load_{number}", "database": f"loaded_{number}"}
            beside = replace(warehouse, settings=warehouse.settings.model_copy(update=names))
            started = time.perf_counter()
            load(beside, "events", [file])
            ours.append(time.perf_counter() - started)
            client.command(f"create or replace table load_{number}.bare ({BARE_COLUMNS}) order by (tenant_id, uuid)")
            started = time.perf_counter()
            _bare_insert(warehouse, file, f"load_{number}")
            bare.append(time.perf_counter() - started)
            for name in names.values():
                client.command("drop database {name:Identifier} sync", parameters={"name": name})
    return {
        "file": f"{events:,} events, {file.stat().st_size / 1e6:.0f} MB",
        "footfall load, s": round(min(ours), 2),
        "footfall load, rows/s": round(events / min(ours)),
        "bare INSERT, s": round(min(bare), 2),
        "ratio": round(min(ours) / min(bare), 2),
    }


def _bare_insert(warehouse: Warehouse, file: Path, database: str) -> None:
    with file.open("rb") as body, httpx.Client(timeout=None, trust_env=False) as http:
        http.post(
            f"http://{warehouse.host}:{warehouse.port}/",
            params={
                "query": f"insert into {database}.bare format JSONEachRow",
                "input_format_json_read_objects_as_strings": "1",
                "async_insert": "0",
            },
            auth=(warehouse.user, warehouse.password.get_secret_value()),
            content=iter(lambda: body.read(1 << 20), b""),
        ).raise_for_status()


def history(folder: Path, events_per_day: int, days: int) -> Figures:
    """A history of so many days loaded, built and rebuilt, then two nights more, nothing, and a login across it all.

    The second night is measured: like all but the first after a rebuild it finds deletions of the one before.
    """
    with private_warehouse() as warehouse:
        first = HISTORIES[0] - days
        events = sorted((folder / "events").glob("*/*"))
        mappings = sorted((folder / "identity_mappings").glob("*/*"))
        started = time.perf_counter()
        rows = load(warehouse, "events", events[first : HISTORIES[0]])
        load(warehouse, "identity_mappings", mappings[first : HISTORIES[0]])
        loading = time.perf_counter() - started
        first_build, _ = timed_build(warehouse)
        yardstick = sum(single_pass.seconds_by_mart(warehouse, from_events=True).values())
        shared = sum(single_pass.seconds_by_mart(warehouse, from_events=False).values())
        full, parts = timed_build(warehouse, full_refresh=True)
        for day in (HISTORIES[0], HISTORIES[0] + 1):
            _wait_for_merges(warehouse)
            load(warehouse, "events", events[day : day + 1])
            load(warehouse, "identity_mappings", mappings[day : day + 1])
            before_night = _now(warehouse)
            night, night_parts = timed_build(warehouse)
        night_rows = _rows_read(warehouse, before_night)
        nothing, _ = timed_build(warehouse)
        before_login = _now(warehouse)
        login, _ = _login(warehouse, folder)
        login_rows = _rows_read(warehouse, before_login)
        mart = new_mart(warehouse, folder)
        return {
            "days": days,
            "events": rows,
            "load, s": round(loading, 1),
            "load, rows/s": round(rows / loading),
            "first build, s": round(first_build, 1),
            "full rebuild, s": round(full, 1),
            "of it dbt, s": round(parts.get(DBT, 0), 1),
            "one query per mart, s": round(yardstick, 1),
            "full rebuild / one query per mart": single_pass.ratio(full, yardstick),
            "the same queries reading each other's answers, s": round(shared, 1),
            "full rebuild / those": single_pass.ratio(full, shared),
            "nightly build, s": round(night, 1),
            "nightly build, rows read": night_rows,
            "of it in dbt, s": round(night_parts.get(DBT, 0), 1),
            "nothing to build, s": round(nothing, 2),
            "one login, s": round(login, 1),
            "one login, rows read": login_rows,
            **mart,
            "server peak, MB": _server_peak(warehouse),
            "python peak, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }


def new_mart(warehouse: Warehouse, folder: Path) -> Figures:
    """A build for one mart more over all events, beside its query alone and beside a build for a mart of one row.

    In processes of their own: a copy of the project gets the marts, and Dagster knows one project while it runs.
    """
    project = Path(shutil.copytree(project_dir(), folder / f"project-{warehouse.port}"))
    (project / "models" / "marts" / "people" / "one_row.sql").write_text("select 1 as one")
    one_row = _build_with(project)
    began = _now(warehouse)
    (project / "models" / "marts" / "people" / "people_by_hour.sql").write_text(NEW_MART)
    build = _build_with(project)
    with warehouse.client() as client:
        client.command("SYSTEM FLUSH LOGS")
        (query,) = client.query(
            "SELECT sum(query_duration_ms) / 1000 FROM system.query_log WHERE type = 'QueryFinish'"
            " AND event_time_microseconds >= {began:DateTime64(6, 'UTC')} AND query_kind = 'Insert'"
            " AND has(tables, {table:String})",
            parameters={"began": began, "table": f"{warehouse.settings.next_database}.people_by_hour"},
        ).first_row
    return {
        "a new mart over all events, s": round(build, 1),
        "of it its own query, s": round(query, 1),
        "a new mart of one row, s": round(one_row, 1),
    }


def _build_with(project: Path) -> float:
    """Seconds of `footfall build` with this project, dbt's parsing of it left out."""
    environment = {**os.environ, "FOOTFALL_DBT_PROJECT_DIR": str(project)}
    for dry_run in (True, False):
        started = time.perf_counter()
        options = ["--dry-run"] if dry_run else []
        subprocess.run([sys.executable, "-m", "cli.main", "build", *options], env=environment, check=True)
    return time.perf_counter() - started


def _login(warehouse: Warehouse, folder: Path) -> tuple[float, dict[str, float]]:
    """The busiest anonymous id logs in: one event that moves its whole history to a user."""
    with warehouse.client(warehouse.settings.database) as client:
        tenant, anonymous_id, last = client.query(
            """
            select tenant_id, user_id, toString(last_seen_at)
            from users where not is_identified order by events_count desc, user_id limit 1
            """
        ).result_rows[0]
    file = folder / f"login-{warehouse.port}.ndjson"
    row = {
        "tenant_id": tenant,
        "event": "$identify",
        "distinct_id": "somebody-new",
        "timestamp": last,
        "properties": {"$anon_distinct_id": anonymous_id},
    }
    file.write_bytes(orjson.dumps(row) + b"\n")
    load(warehouse, "events", [file])
    return timed_build(warehouse)


def _now(warehouse: Warehouse) -> datetime:
    with warehouse.client() as client:
        moment: datetime = client.query("SELECT now64(6, 'UTC')").first_row[0]
    return moment


def _wait_for_merges(warehouse: Warehouse) -> None:
    """Until the server has put the parts of the last build in order: a night comes hours later."""
    with warehouse.client() as client:
        quiet = 0
        while quiet < 3:
            time.sleep(1)
            quiet = 0 if client.query("SELECT count() FROM system.merges").first_row[0] else quiet + 1


def _rows_read(warehouse: Warehouse, since: datetime) -> int:
    """Rows that all statements since then have read, from whatever table."""
    with warehouse.client() as client:
        client.command("SYSTEM FLUSH LOGS")
        rows: int = client.query(
            "SELECT sum(read_rows) FROM system.query_log WHERE type = 'QueryFinish' AND is_initial_query"
            " AND event_time_microseconds >= {since:DateTime64(6, 'UTC')} AND has(databases, 'system') = 0",
            parameters={"since": since},
        ).first_row[0]
    return rows


def _server_peak(warehouse: Warehouse) -> int:
    """Peak resident memory of the local server, in MB."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            if b"warehouse.server" in command and str(warehouse.settings.home).encode() in command:
                status = (process / "status").read_text()
                return int(status.split("VmHWM:")[1].split()[0]) // 1024
        except (OSError, IndexError):
            continue
    return 0


@click.command()
@click.option("--events", default=1_000_000, help="Events in the whole history.")
@click.option("--out", type=click.Path(path_type=Path), help="Where to write the figures as JSON.")
def main(events: int, out: Path | None) -> None:
    """Measure and print; some minutes per million events."""
    per_day = events // HISTORIES[0]
    figures: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory(prefix="footfall-events-") as name:
        folder = Path(name)
        options = {"events_per_day": per_day, "days": HISTORIES[0] + 2, "first_day": FIRST_DAY}
        files = write_days(folder, **options)  # type: ignore[arg-type]
        write_mapping_days(folder, **options)  # type: ignore[arg-type]
        whole = folder / "whole.ndjson"
        with whole.open("wb") as target:
            for file in files[: HISTORIES[0]]:
                target.write(file.read_bytes())
        with private_warehouse() as warehouse:
            figures["load"] = load_speed(warehouse, whole)
        whole.unlink()
        for days in HISTORIES:
            figures[f"{days} days"] = history(folder, per_day, days)
    long, short = (figures[f"{days} days"]["nightly build, s"] for days in HISTORIES)
    figures["nightly"] = {"60 days / 3 days": round(float(long) / float(short), 2)}
    for title, of_one in figures.items():
        table = Table("figure", "value", title=title)
        for figure, value in of_one.items():
            table.add_row(figure, f"{value:,}" if isinstance(value, int | float) else value)
        Console().print(table)
    if out:
        out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
