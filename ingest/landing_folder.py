"""The landing folder, $FOOTFALL_HOME/landing/<table>/YYYY-MM-DD, as files: its days, and what can never be loaded."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from ingest import files, landing_options
from ingest.landing_options import OPTIONS
from ingest.tables import EVENTS, IDENTITY_MAPPINGS
from warehouse.settings import Settings

TABLES = (EVENTS, IDENTITY_MAPPINGS)
# No event is older, so no delivery is: `0226-01-01` is a slip, and must not make the calendar begin there.
EARLIEST = date(2000, 1, 1)


@dataclass(frozen=True)
class Stray:
    """A file that no load looks at, or options that cannot be used. `table` is empty if it lies in that of none."""

    path: Path
    reason: str
    table: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def folder(settings: Settings) -> Path:
    """Where the landing folder of a home is."""
    return settings.home / "landing"


def create(settings: Settings) -> None:
    """Make the landing folder, with a folder per table, if it is not there."""
    for table in TABLES:
        (folder(settings) / table).mkdir(parents=True, exist_ok=True)


def today() -> date:
    """The landing day that has begun; days are days of UTC."""
    return datetime.now(UTC).date()


def day_named(name: str) -> date | None:
    """The day that a folder is named after, exactly as YYYY-MM-DD; None if it is no day."""
    with suppress(ValueError):
        day = date.fromisoformat(name)
        return day if day.isoformat() == name else None
    return None


def days(landing: Path, table: str) -> dict[date, list[Path]]:
    """The days of a table that hold files to load, those after today too, with their files."""
    found = {}
    for place in sorted((landing / table).glob("*/")):
        day = day_named(place.name)
        if day is not None and day >= EARLIEST and (inside := files.find([place])):
            found[day] = inside
    return found


def left_alone(landing: Path, table: str, day: str) -> list[files.LeftAlone]:
    """What in a day's folder plainly holds no data; not its footfall.yml, which is read."""
    return [left for left in files.left_alone([landing / table / day]) if left.path.name != OPTIONS]


def first_day(landing: Path) -> date | None:
    """The first day that holds files, none after today; None if there is no such day."""
    return min((day for table in TABLES for day in days(landing, table) if day <= today()), default=None)


def strays(landing: Path) -> list[Stray]:
    """Files that are never loaded because of where they lie, and options that cannot be used, each with the reason.

    What is plainly no data is left out (`files.left_alone`).
    """
    return sorted({*_strays(landing), *_unusable_options(landing)}, key=lambda stray: stray.path)


def _strays(landing: Path) -> Iterator[Stray]:
    where = " or ".join(f"{table}/YYYY-MM-DD" for table in TABLES)
    for entry in _entries(landing):
        if entry.name not in TABLES:
            yield from (Stray(file, f"files to load lie in {where}") for file in files.find([entry]))
            continue
        for inside in _entries(entry):
            if reason := _reason(inside):
                yield from (Stray(file, reason, entry.name) for file in files.find([inside]))


def _reason(entry: Path) -> str:
    """Why what lies in the folder of a table is not loaded; empty if it is."""
    if not entry.is_dir():
        return "it is in no folder of a day, YYYY-MM-DD"
    day = day_named(entry.name)
    if day is None:
        return f"{entry.name} is no day that exists, written YYYY-MM-DD"
    if day < EARLIEST:
        return f"{day} is before {EARLIEST}, the earliest day there can be"
    return f"{day} has not begun yet; it is loaded from that day on" if day > today() else ""


def _unusable_options(landing: Path) -> Iterator[Stray]:
    """Each `footfall.yml` that has a mistake in it, or lies or is called so that it is not read."""
    for path in landing.rglob("footfall.y*ml"):
        above = path.relative_to(landing).parts[:-1]
        table = above[0] if above and above[0] in TABLES else ""
        is_read = not above or (table and (len(above) == 1 or (len(above) == 2 and day_named(above[1]))))
        if path.name != OPTIONS or not is_read:
            places = "the landing folder, a table's folder or a day's folder"
            yield Stray(path, f"options are only read from a {OPTIONS} in {places}", table)
        elif problem := landing_options.problem_of(landing, path):
            yield Stray(path, str(problem).removeprefix(str(path)).lstrip(", "), table)


def _entries(place: Path) -> list[Path]:
    """What files.find would look at in a folder: files that can be loaded, and folders."""
    if not place.is_dir():
        return []
    entries = (entry for entry in sorted(place.iterdir()) if not entry.name.startswith((".", "_")))
    return [entry for entry in entries if entry.is_dir() or not files.no_data(entry)]
