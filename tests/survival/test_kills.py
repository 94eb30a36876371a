"""kill -9 of the command, of dbt and of the warehouse: the same command again gives the undisturbed result."""

import random
from pathlib import Path

import pytest

from tests.exactness.stories import File, event
from tests.survival.rounds import BUILDING, CHECKED, EVENTS_PER_FILE, START, Blow, Home, Round
from warehouse.ports import free_ports
from warehouse.settings import Settings


def home_in(folder: Path) -> Home:
    """A home of its own: the server of the other tests is not ours to kill."""
    http_port, tcp_port = free_ports(2)
    settings = Settings(
        home=folder / "home", host=None, http_port=http_port, tcp_port=tcp_port, raw_database="raw",
        database="analytics", secret=None,
    )  # fmt: skip
    return Home(settings, folder / "files")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_was_killed_and_run_again_is_as_if_undisturbed(tmp_path: Path) -> None:
    rng = random.Random(7)
    home = home_in(tmp_path)
    files = [File("events", name, [event(rng) for _ in range(EVENTS_PER_FILE)]) for name in ("a.ndjson", "b.ndjson")]
    home.suffer(Round(files[0]))
    # the same name again: b's rows take the place of a's
    replaced = File("events", "a.ndjson", files[1].rows)
    # shares of the time that the first build took, which built everything: this one takes about half as long
    at_build = (Blow("dbt", BUILDING, 0.2), Blow("warehouse", BUILDING, 0.3), Blow("command", CHECKED, 0.3))
    home.suffer(Round(replaced, (Blow("command", START, 0.7), Blow("warehouse", START, 0.8)), at_build))
    assert home.differences() == []
    assert home.wounds >= 3, "most blows must land, or nothing was shown"
