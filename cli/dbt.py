"""`footfall dbt …`: dbt itself, on this warehouse, for those who know it."""

import os
import subprocess
from contextlib import nullcontext

from warehouse.connection import connect
from warehouse.lock import exclusive
from warehouse.settings import get_settings

# Commands that change tables, and so need the lock; and all others.
_WRITING = {"build", "clone", "retry", "run", "run-operation", "seed", "snapshot"}
_READING = {"clean", "compile", "debug", "deps", "docs", "init", "list", "ls", "parse", "show", "source", "test"}
_HELP = {"--help", "-h"}


def run_dbt(arguments: tuple[str, ...]) -> int:
    """Run dbt with these arguments in the work-in-progress database and return its exit code.

    Nothing is published by it: that is `footfall build`'s doing, which prepares the database anew. What a command that
    writes leaves there is no version that was ever published, so that rollback refuses it from then on.
    """
    from orchestration import build_log
    from orchestration.project import dbt_command, environment, project_dir
    from warehouse import publishing

    settings = get_settings()
    project = str(project_dir())
    with connect(settings) as warehouse:
        command = [*dbt_command(), *arguments]
        variables = {
            **os.environ,
            **warehouse.environment(),
            **environment(settings),
            "DBT_PROJECT_DIR": project,
            "DBT_PROFILES_DIR": project,
        }
        subcommand = next((word for word in arguments if word in _WRITING | _READING), "")
        writes = subcommand in _WRITING and _HELP.isdisjoint(arguments)
        with exclusive(settings, "dbt") if writes else nullcontext():
            if writes:
                build_log.settle(warehouse)
                publishing.give_up_version_before(warehouse)
            return subprocess.run(command, env=variables, check=False).returncode
