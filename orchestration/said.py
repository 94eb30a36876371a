"""One channel for what a person watching a build should read, in the Dagster UI and in the terminal alike."""

import logging

progress = logging.getLogger("footfall.build")
# The command line attaches its own handler; without one nothing is printed.
progress.addHandler(logging.NullHandler())
progress.propagate = False
progress.setLevel(logging.INFO)


def say(log: logging.Logger, sentence: str) -> None:
    """Tell the run's log and whoever listens on `progress`."""
    log.info(sentence)
    progress.info(sentence)
