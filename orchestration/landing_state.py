"""What lies in the landing folder, in a form that differs as soon as anything in it does."""

import hashlib
from contextlib import suppress
from pathlib import Path

from ingest import landing_folder, landing_options


def landing_state(landing: Path) -> dict[str, str]:
    """A digest per table and day, `events/2026-01-01`, of the files that loading it looks at.

    Of each file, and of each footfall.yml that holds for it, name, size and modification time (ns) count.
    """
    return {
        f"{table}/{day}": _digest(landing, [*files, *landing_options.paths_of(landing, table, str(day))])
        for table in landing_folder.TABLES
        for day, files in landing_folder.days(landing, table).items()
    }


def _digest(landing: Path, files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with suppress(FileNotFoundError):  # renamed or removed this very moment
            stat = file.stat()
            digest.update(f"{file.relative_to(landing)}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:16]
