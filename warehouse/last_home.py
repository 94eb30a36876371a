"""Which home was used last from this checkout, so that another one is not begun by mistake."""

import logging
import tempfile
from contextlib import suppress
from pathlib import Path

# Git ignores it.
LAST_HOME = Path(__file__).parents[1] / ".footfall-home"

_log = logging.getLogger(__name__)


def remember(home: Path, file: Path = LAST_HOME) -> None:
    """Say so if this home is about to be made and the one used last is another; then remember this one.

    Homes in the system's folder for temporary files are for trials: they are neither told of nor remembered.
    """
    # Of a checkout that may not be written to, and on a full disk, nothing is remembered.
    with suppress(OSError):
        if home.is_relative_to(Path(tempfile.gettempdir()).absolute()):
            return
        last = Path(file.read_text().strip()) if file.exists() else home
        if last == home and file.exists():
            return
        if not home.exists() and last != home and last.exists():
            _log.warning(
                "This begins a new home in %s. The one used last from here is %s: set FOOTFALL_HOME=%s to use that.",
                home, last, last,
            )  # fmt: skip
        file.write_text(f"{home}\n")
