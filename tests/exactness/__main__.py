"""Tells stories until one fails: `python -m tests.exactness --seeds 3-50 --chapters 5`; some minutes each."""

import tempfile
from pathlib import Path

import click

from tests.conftest import drop
from tests.exactness.builds import PROJECT, Builder, beside
from tests.exactness.changed_projects import copy_of
from tests.exactness.test_stories import tell, tell_of_changes
from warehouse.connection import connect
from warehouse.ports import free_ports
from warehouse.settings import Settings


@click.command()
@click.option("--seeds", default="1-20", help="The first and the last seed.")
@click.option("--chapters", default=5, help="How many times to load and build in one story.")
def main(seeds: str, chapters: int) -> None:
    """Tell the stories of the seeds on a warehouse of their own; ends with the first difference."""
    first, _, last = seeds.partition("-")
    http_port, tcp_port, ui_port = free_ports(3)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        settings = Settings(
            home=Path(folder) / "home", host=None, http_port=http_port, tcp_port=tcp_port, ui_port=ui_port
        )
        with connect(settings) as told:
            reordered = beside(told, "reordered")
            for seed in range(int(first), int(last or first) + 1):
                place = Path(folder) / str(seed)
                tell(seed, chapters, Builder(told, place / "files"), Builder(reordered, place / "reordered"))
                drop(told)
                drop(reordered)
                project = copy_of(PROJECT, place / "project")
                tell_of_changes(seed, chapters, Builder(told, place / "changed"), project)
                drop(told)
                click.echo(f"seed {seed}: equal")


if __name__ == "__main__":
    main()
