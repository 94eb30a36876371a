"""The landing folder as files: its days, what is never loaded, and the options of footfall.yml."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from ingest import landing_folder
from ingest.landing_options import OptionsProblem, options_of
from ingest.tables import table_named

DAY = "2026-03-01"


def put(landing: Path, *names: str, content: str = "{}") -> None:
    for name in names:
        (landing / name).parent.mkdir(parents=True, exist_ok=True)
        (landing / name).write_text(content)


def test_every_file_that_no_load_looks_at_is_named_with_the_reason(tmp_path: Path) -> None:
    tomorrow = landing_folder.today() + timedelta(days=1)
    lost = {
        "events/20261124/a.ndjson": "is no day that exists",
        "events/2026-02-30/a.ndjson": "is no day that exists",
        "events/2026-3-1/folder/a.ndjson": "is no day that exists",
        "events/0226-03-01/a.ndjson": "is before 2000-01-01",
        f"events/{tomorrow}/a.ndjson": "has not begun yet",
        "events/a.ndjson": "in no folder of a day",
        "identity_mappings/links.csv": "in no folder of a day",
        "funnels/2026-03-01/a.csv": "files to load lie in events/YYYY-MM-DD",
        "a.parquet": "files to load lie in",
        f"events/{DAY}/folder/footfall.yml": "options are only read from",
        "events/footfall.yaml": "options are only read from",
    }
    put(tmp_path, *lost)
    put(tmp_path, f"events/{DAY}/a.ndjson", "events/.part/a.ndjson", "_old/a.ndjson", "events/20261124/README.txt")
    found = {str(stray.path.relative_to(tmp_path)): stray for stray in landing_folder.strays(tmp_path)}
    assert found.keys() == lost.keys()
    for name, reason in lost.items():
        assert reason in found[name].reason
    assert found["events/a.ndjson"].table == "events"
    assert found["a.parquet"].table == ""


def test_the_first_day_is_the_first_that_holds_a_file(tmp_path: Path) -> None:
    assert landing_folder.first_day(tmp_path) is None
    (tmp_path / "events/2026-02-01").mkdir(parents=True)
    put(tmp_path, f"events/{DAY}/a.ndjson", "identity_mappings/2026-02-15/a.csv", "events/0226-03-01/a.ndjson")
    assert landing_folder.first_day(tmp_path) == date(2026, 2, 15)


def test_nearer_options_take_precedence(tmp_path: Path) -> None:
    put(tmp_path, "footfall.yml", content="tenant: all\nmap: {distinct_id: who, anonymous_id: cookie}\n")
    put(tmp_path, "events/footfall.yml", content="tenant: events\n")
    put(tmp_path, f"events/{DAY}/footfall.yml", content="map:\n  distinct_id: customer\n")
    put(tmp_path, "events/2026-03-02/footfall.yml", content="# nothing\n")
    of_day = options_of(tmp_path, table_named("events"), DAY)
    assert (of_day.tenant, of_day.map) == ("events", {"distinct_id": "customer", "anonymous_id": "cookie"})
    assert options_of(tmp_path, table_named("events"), "2026-03-02").tenant == "events"
    links = options_of(tmp_path, table_named("identity_mappings"), DAY)
    assert (links.tenant, links.map) == ("all", {"anonymous_id": "cookie"})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("tenant: a\ntennant: b\n", "line 2: there is no option 'tennant'; the options are tenant, map, set,"),
        ("tenant: a\ntimezone: Berlin\n", "line 2: there is no time zone 'Berlin'"),
        ("set:\n  colour: c\n", "line 2: events have no field 'colour' to set"),
        ("# numbers\ntenant: 0123\n", r"line 2: tenant is not text \(83\); put it in quotes"),
        ("tenant: ''\n", "line 1: tenant is empty"),
        ("map:\n  event: kind\n  colour: c\n", "line 3: events have no field 'colour'"),
        ("map:\n  event: 1\n", r"line 2: map.event is not text \(1\)"),
        ("map: event=kind\n", "line 1: map is not of the form"),
        ("tenant: a\ntenant: b\n", "line 2: tenant is given twice"),
        ("tenant: [a\n", "line 2: this is not YAML"),
        ("just text\n", "line 1: options are lines of the form"),
    ],
)
def test_a_mistake_in_options_is_named_with_its_line(tmp_path: Path, content: str, says: str) -> None:
    put(tmp_path, f"events/{DAY}/footfall.yml", content=content)
    with pytest.raises(OptionsProblem, match=rf"events/{DAY}/footfall.yml, {says}"):
        options_of(tmp_path, table_named("events"), DAY)
    (stray,) = landing_folder.strays(tmp_path)
    assert stray.reason.startswith("line ")
