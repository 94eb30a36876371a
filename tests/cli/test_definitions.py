"""`footfall funnels` and `footfall retention-definitions`: what is defined, and how it is dropped."""

import json
from pathlib import Path

import pytest

from ingest.loading import load_paths
from tests.cli.conftest import Footfall
from warehouse.connection import Warehouse


@pytest.fixture
def definitions(tmp_path: Path, warehouse: Warehouse) -> Path:
    """One funnel for all tenants, which acme and zoo define for themselves, and a retention definition of acme."""
    steps = [
        {"tenant_id": tenant, "funnel_id": "buy", "name": f"Buying at {tenant}", "step_number": number, "event": event}
        for tenant in ("", "acme", "zoo")
        for number, event in ((2, "paid"), (1, "seen"))
    ]
    retention = {"tenant_id": "acme", "retention_id": "orders", "target_event": "paid", "period": "week"}
    _put(tmp_path / "funnels.ndjson", steps)
    _put(tmp_path / "retention.ndjson", [retention])
    list(load_paths(warehouse, "funnel_steps", [tmp_path / "funnels.ndjson"]))
    list(load_paths(warehouse, "retention_definitions", [tmp_path / "retention.ndjson"]))
    return tmp_path


def _put(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _tenants(footfall: Footfall) -> list[str]:
    return [line.split()[0] for line in footfall("funnels").stdout.splitlines()[1:]]


def test_definitions_are_listed_with_where_they_come_from(footfall: Footfall, definitions: Path) -> None:
    funnels = footfall("funnels", "--tenant", "acme")
    assert (funnels.returncode, funnels.stderr) == (0, "")
    for_all, acmes = funnels.stdout.splitlines()[1:]
    assert for_all.startswith("(all)")
    assert "seen > paid" in acmes
    assert f"load 1: {definitions / 'funnels.ndjson'}" in acmes
    assert acmes.endswith("waits to be built")
    retention = footfall("retention-definitions")
    assert "orders" in retention.stdout.splitlines()[1]


def test_a_definition_is_dropped_for_one_tenant_or_for_all(footfall: Footfall, definitions: Path) -> None:
    one = footfall("funnels", "drop", "buy", "--tenant", "acme")
    assert (one.returncode, one.stderr) == (0, "")
    assert _tenants(footfall) == ["(all)", "acme", "zoo"]
    assert "not for this tenant" in footfall("funnels", "--tenant", "acme").stdout
    again = footfall("funnels", "drop", "buy", "--tenant", "acme")
    assert again.returncode == 2
    assert "There is no funnel 'buy' for acme." in again.stderr

    # a tenant without a definition of its own has the one for all
    assert footfall("funnels", "drop", "buy", "--tenant", "park").returncode == 0
    everywhere = footfall("funnels", "drop", "buy")
    assert "for all tenants and zoo" in everywhere.stdout
    assert footfall("funnels").stdout == "There is no funnel.\n"
    assert footfall("funnels", "drop", "buy").returncode == 2


def test_what_was_dropped_comes_back(footfall: Footfall, definitions: Path, warehouse: Warehouse) -> None:
    assert footfall("retention-definitions", "drop", "orders").returncode == 0
    assert footfall("retention-definitions").stdout == "There is no retention definition.\n"
    # its file is still loaded
    again = footfall("load", "retention-definitions", str(definitions / "retention.ndjson"))
    assert again.stdout.startswith("skipped")
    assert "orders of acme was dropped by load 3; footfall unload 3 brings it back." in again.stderr
    assert footfall("unload", "command:retention-definitions drop orders").returncode == 0
    assert "orders" in footfall("retention-definitions").stdout


def test_a_warehouse_of_an_older_version_gets_the_column(
    footfall: Footfall, definitions: Path, warehouse: Warehouse
) -> None:
    with warehouse.client(warehouse.settings.raw_database) as client:
        for statement in (
            "DROP TABLE incoming_funnel_steps_accepted",
            "DROP TABLE incoming_funnel_steps_rejected",
            "DROP TABLE incoming_funnel_steps",
            "ALTER TABLE funnel_steps DROP COLUMN is_deleted",
            "CREATE TABLE incoming_funnel_steps ENGINE = Null AS SELECT *, '' AS path, '' AS reason, '' AS original"
            " FROM funnel_steps WHERE 0",
            "CREATE MATERIALIZED VIEW incoming_funnel_steps_accepted TO funnel_steps"
            " AS SELECT * EXCEPT (path, reason, original) FROM incoming_funnel_steps WHERE reason = ''",
            "CREATE MATERIALIZED VIEW incoming_funnel_steps_rejected TO rejected_rows"
            " AS SELECT load_id, path, line, reason, original FROM incoming_funnel_steps WHERE reason != ''",
        ):
            client.command(statement)
    assert _tenants(footfall) == ["(all)", "acme", "zoo"]
    _put(definitions / "dropped.ndjson", [{"tenant_id": "zoo", "funnel_id": "buy", "is_deleted": True}])
    loaded = footfall("load", "funnels", str(definitions / "dropped.ndjson"))
    assert (loaded.returncode, loaded.stderr) == (0, "")
    assert "not for this tenant" in footfall("funnels", "--tenant", "zoo").stdout


def test_what_never_occurred_is_told_when_it_is_loaded(
    footfall: Footfall, definitions: Path, warehouse: Warehouse, tmp_path: Path
) -> None:
    event = {"tenant_id": "acme", "event": "paid", "timestamp": "2026-03-01 12:00:00", "distinct_id": "d"}
    _put(tmp_path / "events.ndjson", [{**event, "properties": {"plan": "pro", "$tier": 1}}])
    list(load_paths(warehouse, "events", [tmp_path / "events.ndjson"]))
    filters = (
        ("paid", {"plan": "pro", "tier": {">": 0}, "revenue": {">": 1}}),  # nothing is wrong with it
        ("payed", {}),
        ("paid", {"colour": "red"}),
        ("paid", {"plan": {"like": "p%"}}),
        ("", {"plan": {"in": "pro"}}),
    )
    steps: list[dict[str, object]] = [
        {
            "tenant_id": "acme",
            "funnel_id": "f",
            "step_number": number,
            "event": name,
            "event_filter": json.dumps(filter),
        }
        for number, (name, filter) in enumerate(filters, start=1)
    ]
    _put(tmp_path / "more.ndjson", steps)
    result = footfall("load", "funnels", str(tmp_path / "more.ndjson"))
    assert result.returncode == 0
    assert result.stderr.splitlines() == [
        "Warning: Step 2 of the funnel f (payed) counts the event 'payed', which never occurred in acme.",
        "Warning: Step 3 of the funnel f (paid) asks for the property 'colour', which no events 'paid' of acme had.",
        "Warning: Step 4 of the funnel f (paid) matches no event: its filter has 'like' for 'plan', which is none of"
        " = != > >= < <= in contains exists.",
        "Warning: Step 5 of the funnel f (any event) matches no event: in its filter, 'in' for 'plan' needs a list.",
    ]
    retention: list[dict[str, object]] = [{"retention_id": "r", "target_event": "paid", "return_event": "came"}]
    _put(tmp_path / "r.ndjson", retention)
    result = footfall("load", "retention-definitions", str(tmp_path / "r.ndjson"))
    assert result.stderr.splitlines() == [
        "Warning: The return of the retention definition r counts the event 'came', which never occurred in any"
        " tenant.",
    ]
