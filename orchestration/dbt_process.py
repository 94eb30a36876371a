"""dbt as a process that never outlives the one that started it: `python -P dbt_process.py ARGUMENTS…`.

The lock of a command that was killed goes with it, and the next command may begin. A dbt that lived on would then
write into the candidate of that next one. Run by its path, and by itself: it imports nothing of ours.

It collects no garbage: looking for cycles in dbt's picture of the whole project took a fifth of its time, and what it
leaves until it ends is 60 MB.
"""

import ctypes
import gc
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_POLL_SECONDS = 0.2


def die_with(parent: int) -> None:
    """Kill this process as soon as the process `parent`, which started it, is gone; at once if it is gone already."""
    if sys.platform == "linux":
        # The kernel's own doing: not even a process that is busy or stopped survives.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        _die()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    die_with(int(os.environ["FOOTFALL_DBT_PARENT"]))
    gc.disable()
    from dbt.cli.main import cli

    sys.argv[0] = "dbt"
    cli()
