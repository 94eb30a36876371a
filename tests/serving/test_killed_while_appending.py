"""A service that is killed loses nothing that it acknowledged, and repeats nothing."""

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from ingest import landing_folder
from serving import keys
from tests.cli.conftest import ROOT, environment_of, footfall_of
from tests.conftest import drop
from tests.serving.conftest import Desk
from warehouse.connection import Warehouse
from warehouse.ports import free_ports


def test_what_a_killed_service_acknowledged_is_loaded_once(server: Warehouse) -> None:
    drop(server)
    (port,) = free_ports(1)
    home = server.settings.home
    for file in (home / "landing" / "events").glob("*/*"):
        file.unlink()
    environment = environment_of(server, FOOTFALL_API_PORT=str(port), FOOTFALL_API_RATE="10000/second")
    acknowledged: set[str] = set()

    def start() -> "subprocess.Popen[bytes]":
        process = subprocess.Popen([sys.executable, "-m", "cli.main", "api"], cwd=ROOT, env=environment)
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False)
                return process
            except httpx.TransportError:
                assert process.poll() is None
                time.sleep(0.05)

    process = start()
    key = keys.create(server, "shop", "append")
    desk = Desk(server, f"http://127.0.0.1:{port}", key)

    def post(number: int) -> None:
        ids = [f"{number}-{place}" for place in range(20)]
        rows = [{"event_id": one, "event": "click", "timestamp": "2026-03-01 10:00:00", "user_id": "u"} for one in ids]
        try:
            if desk.post(rows).status_code == 202:
                acknowledged.update(ids)
        except httpx.TransportError:
            pass

    with ThreadPoolExecutor(4) as pool:
        posting = [pool.submit(post, number) for number in range(40)]
        deadline = time.monotonic() + 60
        while len(acknowledged) < 100:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for future in posting:
            future.result()
    process = start()  # takes up what is left
    post(1000)
    # what SDKs send is read by the contract of its tracker
    captured = {"event": "buy", "properties": {"distinct_id": "pia", "$set": {"plan": "gold"}}, "uuid": "p-1"}
    called = {"messageId": "s-1", "userId": "sue", "traits": {"plan": "gold"}, "writeKey": key}
    assert desk.post(captured | {"api_key": key}, "/capture", Authorization="").status_code == 202
    assert desk.post({"api_key": key, "batch": [captured | {"uuid": "p-2"}]}, "/batch/").status_code == 202
    assert desk.post(called, "/v1/i", Authorization="").status_code == 202
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    day = landing_folder.today().isoformat()
    loaded = footfall_of(server)("load", "events", str(home / "landing" / "events" / day))
    assert loaded.returncode == 0, loaded.stderr
    with server.client() as client:
        rows = client.query("SELECT event_id FROM raw.events").result_rows
        of_sdks = client.query(
            "SELECT event_id, event, distinct_id, user_id, attributes_set, tenant_id FROM raw.events "
            "WHERE match(event_id, '^[ps]-') ORDER BY event_id"
        ).result_rows
        trackers = client.query("SELECT DISTINCT tracker FROM raw.load_counts WHERE tracker != ''").result_columns[0]
    found = [row[0] for row in rows]
    assert set(found) >= acknowledged >= {"1000-0", "1000-19"} and len(found) == len(set(found))
    plan = '{"plan":"gold"}'
    assert of_sdks == [
        ("p-1", "buy", "pia", "", plan, "shop"), ("p-2", "buy", "pia", "", plan, "shop"),
        ("s-1", "identify", "sue", "sue", plan, "shop"),
    ]  # fmt: skip
    assert {"posthog", "segment"} <= set(trackers)
    drop(server)
