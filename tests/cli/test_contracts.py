"""`footfall contracts` and `footfall contracts check`: what a file is, before anything of it is loaded."""

import json
from pathlib import Path

from tests.cli.conftest import ROOT, Footfall
from warehouse.connection import Warehouse

SAMPLES = ROOT / "tests" / "ingest" / "trackers"


def test_the_contracts_are_listed(footfall: Footfall) -> None:
    result = footfall("contracts")
    assert (result.returncode, result.stderr) == (0, "")
    names = [line.split()[0] for line in result.stdout.splitlines()[1:]]
    assert names[-1] == "general"
    assert {
        "amplitude",
        "ga4",
        "jitsu",
        "matomo",
        "mixpanel",
        "posthog",
        "segment",
        "snowplow",
        "tinybird",
        "umami",
    } < {*names}
    assert "event_timestamp + event_name + event_params" in result.stdout


def test_a_file_is_checked_without_loading_it(footfall: Footfall, warehouse: Warehouse, tmp_path: Path) -> None:
    """Rows of two trackers, one of them without a time, and none of them with a tenant."""
    ga4 = (SAMPLES / "ga4" / "events.ndjson").read_text().splitlines()
    segment = json.loads((SAMPLES / "segment" / "calls.jsonl").read_text().splitlines()[0])
    untimed = {
        name: value for name, value in segment.items() if name not in ("originalTimestamp", "sentAt", "receivedAt")
    }
    file = tmp_path / "export.ndjson"
    file.write_text("\n".join([*ga4, json.dumps(segment), json.dumps(untimed | {"timestamp": "soon"})]) + "\n")
    result = footfall("contracts", "check", str(file))
    assert (result.returncode, result.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "ga4: 8 of 10 events" in lines
    assert "session_id event_params[ga_session_id] 7" in lines
    assert "segment: 2 of 10 events" in lines
    assert "event type 2" in lines, "of alternatives the one that is taken"
    assert any(line.startswith("In no row: tenant_id") for line in lines)
    assert "9 would be accepted, 1 rejected." in lines
    assert any(line.startswith("unreadable timestamp: 1, first in line 10: {") for line in lines)
    assert "9 name no tenant: load them with --tenant." in lines
    with warehouse.client() as client:
        left = client.query("SELECT name FROM system.databases WHERE name LIKE 'raw%'").result_rows
    assert left == []


def test_what_cannot_be_read_is_told(footfall: Footfall, tmp_path: Path) -> None:
    file = tmp_path / "export.ndjson"
    file.write_text('{"event": "x", "timestamp": "2024-03-01", "distinct_id": "d"}\n')
    result = footfall("contracts", "check", str(file), "--map", "user_id=custmer")
    assert result.returncode == 1
    assert "custmer" in result.stderr
    result = footfall("contracts", "check", str(file), "--from", "ga5")
    assert result.returncode == 2
    assert "ga5" in result.stderr
    assert "amplitude" in result.stderr, "what there is"
