"""How an error reaches the person: one sentence and the next step on stderr, and an exit code."""

import re
import sys
import traceback

import click

from warehouse.errors import FootfallError

FAILED = 1
MAKES_NO_SENSE = 2
INTERRUPTED = 130

# What the client library puts before the server's own words, and what the server adds after them.
_BEFORE = re.compile(r"^.*?server response: ")
_AFTER = re.compile(r"\s*\(version \d.*$")
# As the operating system, SQLite (Dagster's record) and the warehouse put it.
_FULL = re.compile(r"No space left on device|disk is full|NOT_ENOUGH_SPACE")
_OUT_OF_MEMORY = "MEMORY_LIMIT_EXCEEDED"


def report(error: Exception, *, verbose: bool) -> int:
    """Print the error on stderr (the traceback only if verbose) and return the exit code it calls for."""
    if verbose:
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, click.exceptions.ClickException):
        print(_usage_sentence(error), file=sys.stderr)
        return MAKES_NO_SENSE
    if isinstance(error, FootfallError):
        print(f"Error: {error.message}", file=sys.stderr)
        if error.next_step:
            print(error.next_step, file=sys.stderr)
        return error.exit_code
    if _OUT_OF_MEMORY in str(error):
        print("Error: the warehouse has not enough memory for this.", file=sys.stderr)
        print("Give the warehouse more memory, or ask for less at a time.", file=sys.stderr)
        return FAILED
    print(f"Error: {one_line(error)}", file=sys.stderr)
    if _FULL.search(str(error)):
        print("The disk is full: make room and run the same command again.", file=sys.stderr)
    elif not verbose:
        print("The same command with --verbose shows where it happened.", file=sys.stderr)
    return FAILED


def one_line(error: BaseException) -> str:
    """The first line of an error's message, without what the client library and the server wrap around it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return first_clickhouse_line(lines[0]) if lines else type(error).__name__


def first_clickhouse_line(message: str) -> str:
    """The first line of a ClickHouse error, without the version and the stack trace that follow it."""
    first = message.strip().partition("\n")[0]
    return _AFTER.sub("", _BEFORE.sub("", first))


def _usage_sentence(error: click.exceptions.ClickException) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "footfall"
    message = error.format_message().rstrip(".")
    return f"Error: {message}.\nSee {command} --help."
