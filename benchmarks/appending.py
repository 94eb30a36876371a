"""How many posted rows a second the service takes: `python -m benchmarks.appending`, in a home of its own.

Clients post events as fast as they are answered; an answer means that the rows were judged and are on disk.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import orjson

from warehouse.connection import connect
from warehouse.ports import free_ports
from warehouse.settings import get_settings

_START_SECONDS = 60


def measure(clients: int, rows_each: int, seconds: float) -> dict[str, float]:
    """Post for some seconds from as many clients at once, so many rows in each request, to a new service.

    Returns rows a second, and the median and 95th percentile of an answer's milliseconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        api_port, http_port, tcp_port = free_ports(3)
        os.environ |= {
            "FOOTFALL_HOME": str(Path(folder) / "home"),
            "FOOTFALL_HTTP_PORT": str(http_port),
            "FOOTFALL_TCP_PORT": str(tcp_port),
            "FOOTFALL_API_PORT": str(api_port),
            "FOOTFALL_API_RATE": "100000/second",
        }
        from serving import keys

        with connect(get_settings()) as warehouse:
            service = subprocess.Popen([sys.executable, "-m", "cli.main", "api"])
            address = f"http://127.0.0.1:{api_port}"
            try:
                _wait_for(address)
                key = keys.create(warehouse, "shop", "append")
                _posted(address, key, 1, rows_each, 3)  # not counted: the first statement is slower
                started = time.perf_counter()
                with ThreadPoolExecutor(clients) as pool:
                    parts = [
                        pool.submit(_posted, address, key, number, rows_each, seconds) for number in range(clients)
                    ]
                    waited = sorted(one for part in parts for one in part.result())
                taken = time.perf_counter() - started
            finally:
                service.send_signal(signal.SIGTERM)
                service.wait()
    return {
        "rows a second": round(len(waited) * rows_each / taken, 1),
        "median, ms": round(waited[len(waited) // 2] * 1000, 1),
        "p95, ms": round(waited[int(len(waited) * 0.95)] * 1000, 1),
    }


def _posted(address: str, key: str, client: int, rows_each: int, seconds: float) -> list[float]:
    """Post for some seconds; how many seconds each answer took."""
    waited = []
    ends = time.perf_counter() + seconds
    number = 0
    with httpx.Client(timeout=60, trust_env=False, headers={"Authorization": f"Bearer {key}"}) as http:
        while time.perf_counter() < ends:
            body = b"\n".join(_event(client, number + place) for place in range(rows_each))
            number += rows_each
            started = time.perf_counter()
            answer = http.post(f"{address}/v0/events?name=events", content=body)
            waited.append(time.perf_counter() - started)
            if answer.json() != {"successful_rows": rows_each, "quarantined_rows": 0}:
                raise RuntimeError(answer.text)
    return waited


def _event(client: int, number: int) -> bytes:
    return orjson.dumps(
        {
            "uuid": f"{client}-{number}",
            "event": "$pageview",
            "timestamp": "2026-03-01 10:00:00",
            "distinct_id": f"visitor-{number % 1000}",
            "properties": {
                "$session_id": f"session-{number % 3000}",
                "$current_url": "https://shop.example/cakes?utm_source=news&utm_medium=email",
                "$referrer": "https://mail.example/inbox",
                "$browser": "Firefox",
                "$device_type": "Mobile",
                "$lib": "web",
            },
        }
    )


def _wait_for(address: str) -> None:
    ends = time.monotonic() + _START_SECONDS
    while time.monotonic() < ends:
        with suppress(httpx.TransportError):
            if httpx.get(f"{address}/health", trust_env=False).is_success:
                return
        time.sleep(0.1)
    raise RuntimeError("The service did not start.")


def main() -> None:
    """Measure, and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rows", type=int, default=100, help="rows in each request")
    parser.add_argument("--seconds", type=float, default=10)
    given = parser.parse_args()
    figures = measure(given.clients, given.rows, given.seconds)
    print(orjson.dumps(vars(given) | figures).decode())


if __name__ == "__main__":
    main()
