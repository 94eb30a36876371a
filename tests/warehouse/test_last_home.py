"""A home elsewhere than the one used last is said once, before anything is in it."""

import tempfile
from pathlib import Path

import pytest

from warehouse.last_home import remember


@pytest.fixture
def anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that does not count as one for temporary files."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path


def test_another_home_is_said_once(anywhere: Path, caplog: pytest.LogCaptureFixture) -> None:
    first, second, file = anywhere / "first", anywhere / "second", anywhere / "file"
    remember(first, file)
    first.mkdir()
    remember(first, file)
    assert caplog.messages == []
    remember(second, file)
    assert caplog.messages == [
        f"This begins a new home in {second}. The one used last from here is {first}: set FOOTFALL_HOME={first} to use"
        " that."
    ]
    assert not second.exists()
    second.mkdir()
    for home in (second, first, second):  # both are there: whoever changes between them knows
        remember(home, file)
    assert len(caplog.messages) == 1


def test_homes_that_are_gone_or_for_a_trial_are_not_named(anywhere: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = anywhere / "file"
    remember(anywhere / "gone", file)
    remember(anywhere / "new", file)
    remember(anywhere / "temporary" / "trial", file)
    assert file.read_text() == f"{anywhere / 'new'}\n"
    assert caplog.messages == []
