"""`footfall demo --remove`: the demo out of a warehouse that holds something else, too."""

import json
from pathlib import Path

import pytest

from ingest.loading import load_paths
from ingest.sources.contract import contract_named
from ingest.sources.syncing import Options, load_file
from sample.assistant import READ_AT, SOURCE, write_assistant
from tests.cli.conftest import Footfall
from warehouse.connection import Warehouse


@pytest.mark.slow
@pytest.mark.timeout(540)
def test_the_demo_is_taken_out_and_nothing_else(footfall: Footfall, warehouse: Warehouse, tmp_path: Path) -> None:
    sample = warehouse.settings.home / "sample"
    for place, tenant in ((sample / "events", "lisbon"), (tmp_path, "acme")):
        place.mkdir(parents=True, exist_ok=True)
        row = {"tenant_id": tenant, "event": "click", "timestamp": "2026-03-01 12:00:00", "distinct_id": "d"}
        (place / "events.ndjson").write_text(json.dumps(row))
    (sample / "funnels.ndjson").write_text(json.dumps({"tenant_id": "lisbon", "funnel_id": "f", "step_number": 1}))
    list(load_paths(warehouse, "events", [sample / "events", tmp_path / "events.ndjson"]))
    list(load_paths(warehouse, "funnel_steps", [sample / "funnels.ndjson"]))

    # the assistant's tables, twice: the second time says nothing new
    contract = contract_named(warehouse.settings.home, "mcp_obs").model_copy(update={"name": SOURCE})
    tables = write_assistant(sample / "assistant")
    for table in ("organization", "mcp_server", "organization"):
        load_file(warehouse, contract, contract.table(table), tables[table], Options(read_at=READ_AT))
    with warehouse.client(warehouse.settings.raw_database) as client:
        assert client.query("SELECT count() FROM loads FINAL WHERE path LIKE '%juniper%'").first_row[0] == 2

    removed = footfall("demo", "--remove")
    assert removed.returncode == 0, removed.stderr
    assert "Withdrew 4 loads of the demo" in removed.stdout
    assert not sample.exists()
    tenants = footfall("tenants").stdout.splitlines()[1:]
    assert [line.split() for line in tenants] == [["acme", "1", "1", "2026-03-01", "2026-03-01"]]
    assert "lisbon" not in footfall("funnels").stdout
