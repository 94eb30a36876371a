"""What lies in the landing folder, in a form that differs as soon as anything in it does."""

from pathlib import Path

from ingest import files

LANDING_TABLES = ("events", "identity_mappings")


def landing_state(landing: Path) -> dict[str, list[list[str | int]]]:
    """The files of each landing day, those that loading it looks at, with size and modification time (ns)."""
    state: dict[str, list[list[str | int]]] = {}
    for table in LANDING_TABLES:
        for day in sorted((landing / table).glob("*/")):
            for file in files.find([day]):
                name, stat = file.relative_to(day), file.stat()
                state.setdefault(day.name, []).append([f"{table}/{name}", stat.st_size, stat.st_mtime_ns])
    return state
