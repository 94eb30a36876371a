"""One channel for what a person watching a build should read, in the Dagster UI and in the terminal alike."""

import logging

progress = logging.getLogger("footfall.build")
# The command line attaches its own handler; without one nothing is printed.
progress.addHandler(logging.NullHandler())
progress.propagate = False
progress.setLevel(logging.DEBUG)


def say(log: logging.Logger, sentence: str) -> None:
    """Tell the run's log and whoever listens on `progress`."""
    log.info(sentence)
    progress.info(sentence)


def say_how_far(done: int, of: int, what: str) -> None:
    """Tell whoever listens how far the build is; a level below what is said, for a terminal that shows the latest."""
    progress.debug(f"{done} of {of} models, {what}")
