"""What lies in the landing folder, in a form that differs as soon as anything in it does."""

from pathlib import Path

LANDING_TABLES = ("events", "identity_mappings")


def landing_state(landing: Path) -> dict[str, list[list[str | int]]]:
    """The files of each landing day with size and modification time (ns); reads no file, skips hidden ones."""
    state: dict[str, list[list[str | int]]] = {}
    for table in LANDING_TABLES:
        for file in sorted((landing / table).glob("*/*")):
            if file.is_file() and not file.name.startswith("."):
                stat = file.stat()
                state.setdefault(file.parent.name, []).append([f"{table}/{file.name}", stat.st_size, stat.st_mtime_ns])
    return state
