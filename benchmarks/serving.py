"""How fast the service answers: `python -m benchmarks.serving --events 1000000`, in a home of its own.

Clients ask each endpoint again and again, for people and days drawn by chance; beside it stands the question of the
sessions of an id asked of the raw events, without any table that was built.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import httpx

from benchmarks.generate import write_days, write_mapping_days
from benchmarks.measure import load, private_warehouse, timed_build
from serving import keys
from serving.pipes import pipes
from warehouse.connection import Warehouse
from warehouse.ports import free_ports

_CLIENTS = 8
_SECONDS = 8.0
_DAYS = 60

# A person's sessions by their session ids, of one id, as one would ask without tables.
_RAW = """
    SELECT session_id, min(timestamp), max(timestamp), count(), argMin(current_url, timestamp)
    FROM {raw:Identifier}.events
    WHERE tenant_id = {tenant:String} AND distinct_id = {id:String}
    GROUP BY session_id
    ORDER BY 2 DESC
    LIMIT 100
"""


def measure(warehouse: Warehouse, tenant: str) -> dict[str, dict[str, float]]:
    """Milliseconds of each endpoint of a running service, and of the same question asked of raw events."""
    (port,) = free_ports(1)
    os.environ |= {"FOOTFALL_API_PORT": str(port), "FOOTFALL_API_RATE": "100000/second"}
    with warehouse.client(warehouse.settings.database) as client:
        asked = (
            "SELECT distinct_id FROM identities WHERE tenant_id = {t:String} ORDER BY cityHash64(distinct_id) LIMIT 500"
        )
        ids = [one for (one,) in client.query(asked, parameters={"t": tenant}).result_rows]
    service = subprocess.Popen([sys.executable, "-m", "cli.main", "api"])
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address)
        headers = {"Authorization": f"Bearer {keys.create(warehouse, tenant, 'read')}"}
        found = {}
        for name in pipes():
            with ThreadPoolExecutor(_CLIENTS) as pool:
                parts = [pool.submit(_asked, address, name, tenant, ids, headers, seed) for seed in range(_CLIENTS)]
                found[name] = _figures([one for part in parts for one in part.result()])
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait()
    found["sessions of one id from raw events, one client"] = _figures(_raw(warehouse, tenant, ids[:20]))
    return found


def _asked(address: str, name: str, tenant: str, ids: Sequence[str], headers: dict[str, str], seed: int) -> list[float]:
    """Ask for some seconds; how many seconds each answer took, but for the first."""
    rng = random.Random(seed)
    waited = []
    ends = time.perf_counter() + _SECONDS
    with httpx.Client(base_url=address, headers=headers, timeout=60, trust_env=False) as http:
        while time.perf_counter() < ends:
            started = time.perf_counter()
            answer = http.get(f"/v0/pipes/{name}.json", params={"location_id": tenant} | _parameters(name, ids, rng))
            waited.append(time.perf_counter() - started)
            answer.raise_for_status()
    return waited[1:]


def _parameters(name: str, ids: Sequence[str], rng: random.Random) -> dict[str, Any]:
    if name in ("user_profile_events", "user_attribution"):
        return {"user_id": rng.choice(ids)}
    if name == "user_sessions":
        return {"distinct_id": rng.choice(ids)}
    if name == "funnel":
        return {"funnel_id": "visitor_to_customer"}
    day = rng.randrange(1, 29)
    return (
        {"date_from": f"2026-01-{day:02}", "date_to": f"2026-02-{day:02}"}
        if "date_from" in pipes()[name].parameters
        else {}
    )


def _raw(warehouse: Warehouse, tenant: str, ids: Sequence[str]) -> list[float]:
    waited = []
    with warehouse.client() as client:
        for one in ids:
            started = time.perf_counter()
            names = {"raw": warehouse.settings.raw_database, "tenant": tenant, "id": one}
            client.query(_RAW, parameters=names)
            waited.append(time.perf_counter() - started)
    return waited


def _figures(waited: list[float]) -> dict[str, float]:
    waited.sort()
    return {
        "median, ms": round(waited[len(waited) // 2] * 1000, 1),
        "p95, ms": round(waited[int(len(waited) * 0.95)] * 1000, 1),
        "answers": len(waited),
    }


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        with suppress(httpx.TransportError):
            if httpx.get(f"{address}/health", trust_env=False).status_code == httpx.codes.OK:
                return
        if time.monotonic() > deadline:
            raise RuntimeError("the service did not start")
        time.sleep(0.1)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--tenants", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, private_warehouse() as warehouse:
        out = Path(folder)
        size: dict[str, Any] = {
            "events_per_day": arguments.events // _DAYS, "days": _DAYS, "first_day": date(2026, 1, 1),
            "tenants": arguments.tenants,
        }  # fmt: skip
        write_days(out, **size)
        write_mapping_days(out, **size)
        load(warehouse, "events", sorted((out / "events").glob("*/*")))
        load(warehouse, "identity_mappings", sorted((out / "identity_mappings").glob("*/*")))
        timed_build(warehouse)
        for name, figures in measure(warehouse, "location-1").items():
            print(f"{name:48} {figures}", flush=True)


if __name__ == "__main__":
    main()
