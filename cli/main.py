"""The `footfall` command: its commands, options and exit codes.

Everything heavy is imported inside the command that needs it, so that `footfall --help` answers at once.
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cli.errors import FAILED, INTERRUPTED, report
from cli.interrupts import end_on_signals

# Looked up in the arguments when an error is reported, hence nothing to pass on.
verbose_option = click.option("--verbose", is_flag=True, expose_value=False, help="Show the traceback of an error.")

# What can be loaded, and the raw table it goes to.
LOADABLE = {
    "events": "events",
    "identity-mappings": "identity_mappings",
    "funnels": "funnel_steps",
    "retention-definitions": "retention_definitions",
}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="footfall", message="%(prog)s %(version)s")
@verbose_option
def cli() -> None:
    """Footfall: product and location analytics on ClickHouse, dbt and Dagster."""


@cli.command()
@click.option("--remove", is_flag=True, help="Remove the demo: unload its files and build.")
@verbose_option
def demo(remove: bool) -> None:
    """Load, build, check and publish the bundled sample, then show what is in it."""
    from cli.demo import run_demo, run_remove

    run_remove() if remove else run_demo()


@cli.command()
@click.option("--warehouse-only", is_flag=True, help="Only the local warehouse, without the Dagster UI.")
@verbose_option
def up(warehouse_only: bool) -> None:
    """Run the local warehouse and the Dagster UI in the foreground, until Ctrl-C."""
    from cli.up import run_up

    run_up(warehouse_only=warehouse_only)


@cli.group()
def load() -> None:
    """Load files or folders (.ndjson .jsonl .json .csv .parquet, plain, .gz or .zst)."""


def _load_command(name: str, what: str) -> None:
    @load.command(name, help=f"Load {what} from files or folders.")
    @click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
    @click.option("--tenant", default="", help="The tenant of rows that name none.")
    @click.option("--map", "mapping", multiple=True, metavar="FIELD=PATH", help="The file's own path of a field.")
    @click.option("--set", "constants", multiple=True, metavar="FIELD=VALUE", help="The value of a field in all rows.")
    @click.option(
        "--from", "contract", default="", metavar="TRACKER", help="Whose rows they are; `footfall contracts`."
    )
    @click.option("--timezone", default="", metavar="ZONE", help="The zone of local times, such as Europe/Berlin.")
    @click.option("--replace", is_flag=True, help="Supersede earlier loads of the same path.")
    @verbose_option
    def command(
        paths: tuple[Path, ...],
        tenant: str,
        mapping: tuple[str, ...],
        constants: tuple[str, ...],
        contract: str,
        timezone: str,
        replace: bool,
    ) -> None:
        paths_of_fields = _pairs(mapping, "--map", "field=path")
        values = _pairs(constants, "--set", "field=value")
        from cli.load import run_load

        run_load(
            LOADABLE[name],
            paths,
            tenant=tenant,
            mapping=paths_of_fields,
            constants=values,
            contract=contract,
            timezone=timezone,
            replace=replace,
        )


def _pairs(options: tuple[str, ...], name: str, form: str) -> dict[str, str]:
    pairs = {}
    for option in options:
        field, separator, value = option.partition("=")
        if not (field and separator and value):
            raise click.BadParameter(f"'{option}' is not of the form {form}.", param_hint=name)
        pairs[field] = value
    return pairs


@cli.group(invoke_without_command=True)
@verbose_option
@click.pass_context
def contracts(context: click.Context) -> None:
    """List the trackers whose rows are understood, or check a file."""
    if context.invoked_subcommand is None:
        from cli.contracts import run_list

        run_list()


@contracts.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--tenant", default="", help="The tenant of rows that name none.")
@click.option("--map", "mapping", multiple=True, metavar="FIELD=PATH", help="The file's own path of a field.")
@click.option("--set", "constants", multiple=True, metavar="FIELD=VALUE", help="The value of a field in all rows.")
@click.option("--from", "contract", default="", metavar="TRACKER", help="Whose rows they are.")
@click.option("--timezone", default="", metavar="ZONE", help="The zone of local times, such as Europe/Berlin.")
@verbose_option
def check(
    file: Path, tenant: str, mapping: tuple[str, ...], constants: tuple[str, ...], contract: str, timezone: str
) -> None:
    """Say how a file of events would be read, without loading it.

    Which contract reads how many rows, what is found where, and what would be rejected and why.
    """
    paths_of_fields = _pairs(mapping, "--map", "field=path")
    values = _pairs(constants, "--set", "field=value")
    from cli.contracts import run_check

    run_check(file, tenant=tenant, mapping=paths_of_fields, constants=values, contract=contract, timezone=timezone)


_load_command("events", "events")
_load_command("identity-mappings", "identity mappings (anonymous id to user id)")
_load_command("funnels", "funnel definitions, one row per step,")
_load_command("retention-definitions", "retention definitions")


_accept_deletes_option = click.option(
    "--accept-deletes", is_flag=True, help="Believe a source that lost much of its rows, or a table that is empty."
)
_source_timezone_option = click.option(
    "--timezone", default="UTC", show_default=True, metavar="ZONE", help="The zone of times that name none."
)


@load.command("source-table")
@click.argument("name", metavar="SOURCE.TABLE")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_accept_deletes_option
@_source_timezone_option
@click.option(
    "--read-at",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%d %H:%M:%S"]),
    help="When it was exported, UTC; now, if you do not say.",
)
@verbose_option
def load_source_table(name: str, file: Path, accept_deletes: bool, timezone: str, read_at: datetime | None) -> None:
    """Load a table of a source from a file, which is a whole snapshot of it.

    As `footfall sync` does from the database: `footfall load source-table mcp_obs.mcp_server servers.csv`. What is
    asked "as of today" is as of when it was exported.
    """
    from cli.sources import run_load
    from ingest.sources.syncing import Options

    exported = read_at.replace(tzinfo=UTC) if read_at else None
    run_load(name, file, Options(accept_deletes=accept_deletes, timezone=timezone, read_at=exported))


@cli.group()
def queries() -> None:
    """What people of a synced product saved."""


@queries.command("list")
@click.option("--tenant", default="", help="Only those of this tenant.")
@verbose_option
def list_queries(tenant: str) -> None:
    """List the saved queries, and say of each whether it can be answered."""
    from cli.queries import run_list

    run_list(tenant)


@queries.command("run")
@click.argument("query_id", metavar="ID")
@click.option("--tenant", required=True, help="The tenant that it is of.")
@verbose_option
def run_saved_query(query_id: str, tenant: str) -> None:
    """Print the rows of a saved query, as the HTTP service answers it."""
    from cli.queries import run_query

    run_query(tenant, query_id)


@cli.command()
@click.argument("source")
@click.option("--full", is_flag=True, help="Read tables that are appended to from their beginning on.")
@_accept_deletes_option
@click.option("--without", multiple=True, metavar="TABLE", help="Leave this table out.")
@_source_timezone_option
@verbose_option
def sync(source: str, full: bool, accept_deletes: bool, without: tuple[str, ...], timezone: str) -> None:
    """Read an operational database, and load what changed.

    All of its tables at one moment; what is committed is all of it or nothing.
    """
    from cli.sources import run_sync
    from ingest.sources.syncing import Options

    run_sync(source, Options(full, accept_deletes, without, timezone))


@cli.group()
def sources() -> None:
    """Operational databases that can be synced."""


@sources.command("list")
@verbose_option
def list_sources() -> None:
    """List the sources, and when they were read."""
    from cli.sources import run_list

    run_list()


@sources.command("grants")
@click.argument("source")
@verbose_option
def source_grants(source: str) -> None:
    """Print the grants of a role that can read a source, and nothing else of it."""
    from cli.sources import run_grants

    run_grants(source)


@sources.command("check")
@click.argument("source")
@verbose_option
def check_source(source: str) -> None:
    """Say what of a source is there and can be read."""
    from cli.sources import run_check

    run_check(source)


@cli.command()
@click.option("--table", type=click.Choice(list(LOADABLE)), help="Only loads of this kind.")
@click.option("--tenant", default="", help="Only loads that hold rows of this tenant.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=0), help="How many; 0: all.")
@verbose_option
def loads(table: str | None, tenant: str, limit: int) -> None:
    """List what was loaded, newest first.

    Each load has a number and an id, its file, its rows and what became of it.
    """
    from cli.loads import run_loads

    run_loads(LOADABLE[table] if table else "", tenant, limit)


@cli.command()
@click.argument("names", nargs=-1, required=True, metavar="LOAD|PATH...")
@click.option("--dry-run", is_flag=True, help="Only say what would be withdrawn.")
@verbose_option
def unload(names: tuple[str, ...], dry_run: bool) -> None:
    """Take loads out again.

    A load is named by its number or id (see footfall loads), or by the path of its file or of a folder. The next build
    takes its rows out of all tables. The same files can be loaded again at any time.
    """
    from cli.unload import run_unload

    run_unload(names, dry_run=dry_run)


@cli.command()
@verbose_option
def tenants() -> None:
    """List the tenants and how much they have.

    People, events, first and last day, and how many of their loads wait to be built.
    """
    from cli.tenants import run_tenants

    run_tenants()


@cli.command()
@click.option("--tenant", required=True, help="The tenant that the id is of.")
@click.argument("distinct_id", metavar="ID")
@verbose_option
def why(tenant: str, distinct_id: str) -> None:
    """Say why an id is the person it is.

    Which links and merges make it so, who said so and when, and what was refused and why.
    """
    from cli.why import run_why

    run_why(tenant, distinct_id)


def _statement_command(name: str, text: str) -> None:
    @cli.command(name, help=text)
    @click.option("--tenant", required=True, help="The tenant that the ids are of.")
    @click.option("--dry-run", is_flag=True, help="Only say what would change.")
    @click.argument("one", metavar="A")
    @click.argument("other", metavar="B")
    @verbose_option
    def command(tenant: str, one: str, other: str, dry_run: bool) -> None:
        from cli.merge import run_statement

        run_statement(name, tenant, one, other, dry_run=dry_run)


_statement_command(
    "merge",
    "Say that two ids are one person.\n\nWhatever files and events say of them. The next build makes them one.",
)
_statement_command(
    "unmerge",
    "Say that two ids are not one person.\n\nWhatever was or will be said of just these two does not count. The next"
    " build takes them apart, unless links with other ids still join them.",
)


def _definition_commands(name: str, what: str) -> None:
    @cli.group(
        name,
        invoke_without_command=True,
        help=f"List {what}s, or drop one.\n\nWhat they count, where they come from, and whether they are built.",
    )
    @click.option("--tenant", default="", help="Only what holds for this tenant.")
    @verbose_option
    @click.pass_context
    def group(context: click.Context, tenant: str) -> None:
        if context.invoked_subcommand is None:
            from cli.definitions import run_list

            run_list(LOADABLE[name], tenant)

    @group.command(help=f"Drop a {what}.\n\nFor one tenant, or for all that have it. The next build takes it out.")
    @click.argument("definition_id", metavar="ID")
    @click.option("--tenant", default="", help="Only for this tenant.")
    @verbose_option
    def drop(definition_id: str, tenant: str) -> None:
        from cli.definitions import run_drop

        run_drop(LOADABLE[name], definition_id, tenant)


_definition_commands("funnels", "funnel definition")
_definition_commands("retention-definitions", "retention definition")


@cli.command()
@click.option("--full-refresh", is_flag=True, help="Rebuild every table from all committed loads.")
@click.option("--dry-run", is_flag=True, help="Say what would be built and rebuilt, and why; change nothing.")
@verbose_option
def build(full_refresh: bool, dry_run: bool) -> None:
    """Build, check and publish all that the committed loads and changed models call for."""
    from cli.build import run_build, run_dry

    (run_dry if dry_run else run_build)(full_refresh=full_refresh)


@cli.command()
@click.argument("query")
@click.option("--format", "output_format", default=None, metavar="F", help="Any ClickHouse output format.")
@click.option("--write", is_flag=True, help="Let the statement write: INSERT, ALTER, DROP, ...")
@verbose_option
def sql(query: str, output_format: str | None, write: bool) -> None:
    """Run one query on the warehouse; the published database is the default database. Reads only, unless --write."""
    from cli.sql import run_sql

    run_sql(query, output_format, write=write)


@cli.command()
@verbose_option
def status() -> None:
    """Show the warehouse, the last load and build, what waits to be built, row counts and failed checks."""
    from cli.status import run_status

    run_status()


@cli.command()
@verbose_option
def rollback() -> None:
    """Put the previously published version back."""
    from cli.rollback import run_rollback

    run_rollback()


@cli.command()
@click.option(
    "--out",
    "folder",
    default=None,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Only write the page, as DIR/index.html.",
)
@verbose_option
def docs(folder: Path | None) -> None:
    """Show the documentation of the published tables in the browser, until Ctrl-C; it needs no network."""
    from cli.docs import run_docs

    run_docs(folder)


@cli.command()
@click.option("--tenant", required=True, help="The tenant that the person is of.")
@click.option("--user", required=True, help="Any id of the person, their tracking id, or the email of an account.")
@click.option("--later", is_flag=True, help="Only note it, for the Dagster job forget_people.")
@verbose_option
def forget(tenant: str, user: str, later: bool) -> None:
    """Erase a person: from all tables, from the disk, and for what comes later.

    Ends with a search of every table and file for anything of theirs. Broken off, the same command finishes it.
    """
    from cli.forget import run_forget

    run_forget(tenant, user, later=later)


@cli.command()
@click.option("--tenant", required=True, help="The tenant that the person is of.")
@click.option("--user", required=True, help="Any id of the person, or their tracking id.")
@click.option("--out", "file", default=None, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")
@verbose_option
def export(tenant: str, user: str, file: Path | None) -> None:
    """Write all that is held on a person as one JSON document, to stdout or into a file."""
    from cli.forget import run_export

    run_export(tenant, user, file)


@cli.group("retention-policies")
def retention_policies() -> None:
    """For how long what is kept."""


_tenant_option = click.option("--tenant", default="", help="The tenant; without it whoever has no policy of its own.")
_what_option = click.option(
    "--what",
    type=click.Choice(["events", "daily"]),
    default="events",
    show_default=True,
    help="Events, with all that is worked out of them, or the daily figures that stay of them.",
)


@retention_policies.command("list")
@verbose_option
def list_policies() -> None:
    """List the policies."""
    from cli.retention_policies import run_list

    run_list()


@retention_policies.command("set")
@_tenant_option
@_what_option
@click.option("--keep-days", required=True, type=click.IntRange(min=0), help="For how many days; 0 for ever.")
@verbose_option
def set_policy(tenant: str, what: str, keep_days: int) -> None:
    """Set for how many days something is kept; nothing goes before `apply`."""
    from cli.retention_policies import run_set

    run_set(tenant, what, keep_days)


@retention_policies.command("remove")
@_tenant_option
@_what_option
@verbose_option
def remove_policy(tenant: str, what: str) -> None:
    """Remove a policy. What was cut stays cut."""
    from cli.retention_policies import run_remove

    run_remove(tenant, what)


@retention_policies.command("apply")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), default=None, help="Count from this UTC day, not today.")
@verbose_option
def apply_policies(dry_run: bool, as_of: datetime | None) -> None:
    """Cut what is older than it is kept: from all tables, and from the disk.

    Broken off, the same command finishes it.
    """
    from cli.retention_policies import run_apply

    run_apply(as_of.date() if as_of else None, dry_run=dry_run)


@cli.command()
@verbose_option
def api() -> None:
    """Serve the published tables over HTTP in the foreground, until Ctrl-C."""
    from cli.api import run_api

    run_api()


@cli.group()
def keys() -> None:
    """The keys of the HTTP service."""


@keys.command()
@click.option("--tenant", required=True, help="The tenant that the key opens.")
@click.option("--scope", type=click.Choice(["read", "append"]), default="read", show_default=True)
@click.option("--expires", type=click.DateTime(), default=None, help="When it ends, UTC; without it never.")
@verbose_option
def create(tenant: str, scope: str, expires: datetime | None) -> None:
    """Make a key, and print it, once."""
    from cli.keys import run_create

    run_create(tenant, scope, expires)


@keys.command("list")
@verbose_option
def list_keys() -> None:
    """List all keys, without what they are."""
    from cli.keys import run_list

    run_list()


@keys.command()
@click.argument("key_id", metavar="KEY")
@verbose_option
def revoke(key_id: str) -> None:
    """Let a key open nothing any more; KEY is its name in the list."""
    from cli.keys import run_revoke

    run_revoke(key_id)


@cli.group()
def access() -> None:
    """Who may do what in the warehouse."""


@access.command()
@verbose_option
def apply() -> None:
    """Make the warehouse's users what they should be: after an upgrade, or on a server of your own."""
    from cli.access import run_apply

    run_apply()


@access.group()
def user() -> None:
    """People who send SQL of their own."""


@user.command("add")
@click.argument("name")
@click.option("--tenant", default="", help="Only the rows of this tenant.")
@click.option(
    "--role",
    type=click.Choice(["analyst", "account_analyst", "loader", "builder"]),
    default="analyst",
    show_default=True,
)
@verbose_option
def add_user(name: str, tenant: str, role: str) -> None:
    """Add a user, and print its password, once."""
    from cli.access import run_add

    run_add(name, role, tenant)


@user.command("list")
@verbose_option
def list_users() -> None:
    """List the users that were added."""
    from cli.access import run_list

    run_list()


@user.command("drop")
@click.argument("name")
@verbose_option
def drop_user(name: str) -> None:
    """Remove a user."""
    from cli.access import run_drop

    run_drop(name)


@cli.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def dbt(arguments: tuple[str, ...]) -> None:
    """Run dbt with these arguments against this warehouse's work-in-progress database."""
    from cli.dbt import run_dbt

    sys.exit(run_dbt(arguments))


def main(arguments: list[str] | None = None) -> None:
    """The console script: runs a command and ends the process with 0 (done), 1 (failed) or 2 (makes no sense)."""
    end_on_signals()
    sys.exit(_exit_code(lambda: _run(arguments)))


def _run(arguments: list[str] | None) -> None:
    with cli.make_context("footfall", sys.argv[1:] if arguments is None else arguments) as context:
        cli.invoke(context)


def _exit_code(run: Callable[[], Any]) -> int:
    try:
        run()
    except click.exceptions.Exit as end:
        return end.exit_code
    except (KeyboardInterrupt, click.Abort):
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`head`, a pager) has seen enough. Python would complain again when it flushes stdout.
        sys.stdout = None
        return FAILED
    except Exception as error:
        return report(error, verbose="--verbose" in sys.argv)
    return 0


if __name__ == "__main__":
    main()
