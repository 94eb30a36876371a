"""Writes realistic event files of any size, a file per day of arrival, always the same for the same seed.

    python -m benchmarks.generate --events 1000000 --days 60 --out FOLDER

``FOLDER`` gets the layout of a landing folder: ``events/2026-01-01/events.ndjson`` and
``identity_mappings/2026-01-01/identity_mappings.csv``. A day's file holds what arrived on that day: mostly the day's
own events, some from days before (late), some for the second time. It depends on size, seed and day alone: sixty days
begin with the same three files as three days. ``--days 61 --from-day 60`` writes one more night.
"""

import argparse
import csv
import gzip
import time
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path
from typing import IO, Literal, cast

from benchmarks.hot import KINDS, Hot
from benchmarks.lines import LONGEST_DELAY_DAYS, lines_of_day, links_of_day
from benchmarks.population import Business

Format = Literal["ndjson", "ndjson.gz"]

_WITHDRAWN_AFTER_DAYS = 3


def write_days(
    folder: Path,
    *,
    events_per_day: int,
    days: int,
    first_day: date,
    seed: int = 1,
    tenants: int = 3,
    from_day: int = 0,
    format: Format = "ndjson",
    hot: Hot | None = None,
) -> list[Path]:
    """Writes the event files of the days ``from_day`` to ``days - 1`` (day 0 is ``first_day``); returns their paths.

    A day's file depends on the size, the seed, ``hot`` and the day, not on which days are written. About one event in a
    hundred arrives one to six days late, one in two hundred arrives twice; what arrives after the last day is left out.
    In memory are one day's list of visits, the events of a few thousand of them, and the lines that wait for their day.
    """
    business = Business(events_per_day, seed, tenants)
    waiting: dict[int, list[bytes]] = defaultdict(list)
    paths: list[Path] = []
    for day in range(max(0, from_day - LONGEST_DELAY_DAYS), days):
        lines = lines_of_day(business, first_day, day, landing_from=from_day, landing_before=days, hot=hot)
        if day < from_day:
            for landing, line in lines:
                waiting[landing].append(line)
            continue
        path = _file(folder, "events", first_day, day, f"events.{format}")
        with _open(path) as out:
            out.writelines(waiting.pop(day, ()))
            for landing, line in lines:
                if landing == day:
                    out.write(line)
                else:
                    waiting[landing].append(line)
        paths.append(path)
    return paths


def write_mapping_days(
    folder: Path,
    *,
    events_per_day: int,
    days: int,
    first_day: date,
    seed: int = 1,
    tenants: int = 3,
    from_day: int = 0,
) -> list[Path]:
    """Writes the identity mapping files that go with ``write_days`` (same arguments); returns their paths.

    Each day brings links and a few merges, and withdraws one in forty of the links of three days before.
    """
    business = Business(events_per_day, seed, tenants)
    paths: list[Path] = []
    for day in range(from_day, days):
        created_at = f"{first_day + timedelta(days=day)} 04:00:00"
        rows: list[tuple[object, ...]] = [(*link, created_at, 0) for link in links_of_day(business, day)]
        if day >= _WITHDRAWN_AFTER_DAYS:
            earlier = links_of_day(business, day - _WITHDRAWN_AFTER_DAYS)
            rows += [(*link, created_at, 1) for link in earlier[::40]]
        path = _file(folder, "identity_mappings", first_day, day, "identity_mappings.csv")
        with path.open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(("tenant_id", "anonymous_id", "user_id", "kind", "created_at", "is_deleted"))
            out.writerows(rows)
        paths.append(path)
    return paths


def _file(folder: Path, table: str, first_day: date, day: int, name: str) -> Path:
    path = folder / table / f"{first_day + timedelta(days=day)}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.GzipFile(path, "wb", compresslevel=1, mtime=0))  # no time: the same bytes
    return path.open("wb", buffering=1 << 20)


def main() -> None:
    """The command line; ``--help`` tells the options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generate", description="Writes realistic event files.")
    parser.add_argument("--events", type=int, required=True, help="how many events happen in all, over all days")
    parser.add_argument("--days", type=int, default=60, help="how many days (default 60)")
    parser.add_argument("--out", type=Path, required=True, help="the folder; gets the layout of a landing folder")
    parser.add_argument("--tenants", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--format", choices=("ndjson", "ndjson.gz"), default="ndjson")
    parser.add_argument("--first-day", type=date.fromisoformat, default=date(2026, 1, 1), help="default 2026-01-01")
    parser.add_argument("--hot", choices=KINDS, help="move a large part of the events to one key of this kind")
    parser.add_argument("--from-day", type=int, default=0, help="write only from this day on (0 is the first)")
    args = parser.parse_args()
    if args.events < args.days or args.days < 1 or args.tenants < 1 or not 0 <= args.from_day < args.days:
        parser.error("this needs at least one event a day, one tenant, and --from-day below --days")
    size = {"events_per_day": args.events // args.days, "days": args.days, "seed": args.seed}
    which = {"first_day": args.first_day, "tenants": args.tenants, "from_day": args.from_day}
    started = time.perf_counter()
    paths = write_days(args.out, **size, **which, format=args.format, hot=args.hot)
    mappings = write_mapping_days(args.out, **size, **which)
    seconds = time.perf_counter() - started
    megabytes = sum(path.stat().st_size for path in paths) / 1e6
    written = f"{len(paths)} event files ({megabytes:,.1f} MB) and {len(mappings)} mapping files"
    print(f"{written} in {seconds:.1f} s: {args.out}")


if __name__ == "__main__":
    main()
