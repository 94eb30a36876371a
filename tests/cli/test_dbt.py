"""`footfall dbt`: which of dbt's commands write, however the options stand."""

import pytest

from cli.dbt import _READING, _subcommand
from tests.cli.conftest import Footfall
from warehouse.connection import Warehouse
from warehouse.lock import exclusive


@pytest.mark.parametrize(
    ("arguments", "subcommand"),
    [
        ("seed", "seed"),
        ("--log-level debug seed", "seed"),
        ("--log-level=debug seed", "seed"),
        ("--no-use-colors --log-level debug --log-path ls run", "run"),
        ("ls --select run", "ls"),
        ("compile --vars build:seed", "compile"),
        ("source freshness", "source"),
        ("run-operation clean", "run-operation"),
        ("seed --help", ""),
        ("--help seed", ""),
        ("--version", ""),
        ("", ""),
        ("nonsense", ""),
        ("--vars x seed", ""),  # an option of `seed`, not of dbt: dbt refuses it
        ("run --nonsense", ""),
    ],
)
def test_the_command_is_what_dbt_takes_for_it(arguments: str, subcommand: str) -> None:
    assert _subcommand(tuple(arguments.split())) == subcommand


def test_every_command_of_dbt_is_known_to_read_or_is_taken_to_write() -> None:
    from dbt.cli.main import cli

    assert cli.commands.keys() - _READING == {"build", "clone", "retry", "run", "run-operation", "seed", "snapshot"}


def test_options_before_the_command_do_not_let_it_past_the_lock(footfall: Footfall, warehouse: Warehouse) -> None:
    with exclusive(warehouse, "a long load"):
        result = footfall("dbt", "--log-level", "debug", "seed")
        assert result.returncode == 1
        assert "a long load" in result.stderr
        assert footfall("dbt", "--log-level", "error", "seed", "--help").returncode == 0
