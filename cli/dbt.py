"""`footfall dbt …`: dbt itself, on this warehouse, for those who know it."""

import subprocess
from contextlib import nullcontext

import click

from warehouse.connection import connect
from warehouse.lock import exclusive
from warehouse.settings import get_settings

# Commands that change no table; all others wait for their turn, also those of a later dbt.
_READING = {"clean", "compile", "debug", "deps", "docs", "init", "list", "ls", "parse", "show", "source", "test"}


def run_dbt(arguments: tuple[str, ...]) -> int:
    """Run dbt with these arguments in the work-in-progress database and return its exit code.

    Nothing is published by it: that is `footfall build`'s doing, which prepares the database again. What a command that
    writes leaves there is no version that was ever published, so that rollback refuses it from then on.
    """
    from orchestration import build_log
    from orchestration.project import dbt_command, environment, project_dir
    from warehouse import publishing

    settings = get_settings()
    with connect(settings) as warehouse:
        command = [*dbt_command(), *arguments]
        variables = environment(settings, project_dir(), warehouse.environment())
        subcommand = _subcommand(arguments)
        writes = bool(subcommand) and subcommand not in _READING
        with exclusive(warehouse, f"dbt {subcommand}") if writes else nullcontext():
            if writes:
                build_log.settle(warehouse)
                publishing.give_up_previous_version(warehouse)
            return subprocess.run(command, env=variables, check=False).returncode


def _subcommand(arguments: tuple[str, ...]) -> str:
    """What dbt will do with these arguments, by dbt's own parser; empty if it will only say something about them."""
    from dbt.cli.main import cli

    context = click.Context(cli, info_name="dbt")
    try:
        options, rest, _ = cli.make_parser(context).parse_args(list(arguments))
        name, command, rest = cli.resolve_command(context, rest) if rest else (None, None, [])
        if name is None or command is None:
            return ""
        more, _, _ = command.make_parser(click.Context(command, info_name=name, parent=context)).parse_args(rest)
    except click.ClickException:  # dbt says it better
        return ""
    return "" if "help" in options or "help" in more or "version" in options else name
