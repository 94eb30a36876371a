"""What the sensor on the landing folder sees."""

from pathlib import Path

from orchestration.landing_state import landing_state


def put(landing: Path, name: str, content: str) -> Path:
    file = landing / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return file


def test_a_day_changes_with_each_of_its_files(tmp_path: Path) -> None:
    assert landing_state(tmp_path) == {}
    events = put(tmp_path, "events/2026-01-01/a.ndjson", "{}")
    put(tmp_path, "identity_mappings/2026-01-02/b.csv", "x")
    before = landing_state(tmp_path)
    assert set(before) == {"2026-01-01", "2026-01-02"}
    events.write_text("{}\n{}")
    after = landing_state(tmp_path)
    assert after["2026-01-01"] != before["2026-01-01"]
    assert after["2026-01-02"] == before["2026-01-02"]
    events.unlink()
    assert set(landing_state(tmp_path)) == {"2026-01-02"}


def test_files_that_are_still_being_put_there_do_not_count(tmp_path: Path) -> None:
    put(tmp_path, "events/2026-01-01/.a.ndjson.part", "{}")
    put(tmp_path, "events/2026-01-01/folder/a.ndjson", "{}")
    assert landing_state(tmp_path) == {}
