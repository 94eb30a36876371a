"""Writes the bundled sample: ``python -m sample.generate FOLDER``. The same bytes each time, in about two seconds."""

import gzip
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from sample import broken
from sample.business import DAYS, LISBON, LONDON, MADRID, PORTO, Shop
from sample.definitions import KnownDevice, write_funnels, write_mappings, write_retention_definitions
from sample.event import DAY, Event, as_datetime
from sample.scenes import scenes, sent_again
from sample.spellings import CSV_HEADER, PARQUET_SCHEMA, csv_lines, parquet_row, posthog_line, segment_line
from sample.visits import FIRST_DAY, START, life, people_of

SEED = 2026

T = TypeVar("T")


@dataclass(frozen=True)
class SampleFiles:
    """What was written, per kind of ``footfall load``."""

    events: list[Path]
    identity_mappings: list[Path]
    funnels: list[Path]
    retention_definitions: list[Path]


def write_sample(folder: Path) -> SampleFiles:
    """Writes all sample files below ``folder`` (made if it is not there; files of an earlier call are overwritten).

    The content is a pure function of this package: no clock, no environment, so a second load finds nothing new.
    """
    events_folder = folder / "events"
    events_folder.mkdir(parents=True, exist_ok=True)
    shops = (LISBON, PORTO, MADRID, LONDON)
    months = {shop.tenant: shop_month(shop) for shop in shops}
    lisbon, porto, madrid, london = (months[shop.tenant][0] for shop in shops)
    devices = [device for _, known in months.values() for device in known]
    return SampleFiles(
        events=[
            *_write_lisbon(events_folder, lisbon),
            _write_porto(events_folder / "porto.csv", porto),
            _write_madrid(events_folder / "madrid.parquet", madrid),
            _write_london(events_folder / "london.ndjson.gz", london),
        ],
        identity_mappings=[write_mappings(folder / "identity_mappings.csv", devices)],
        funnels=[write_funnels(folder / "funnels.csv")],
        retention_definitions=[write_retention_definitions(folder / "retention_definitions.csv")],
    )


def shop_month(shop: Shop) -> tuple[list[Event], list[KnownDevice]]:
    """A shop's thirty days: its events in the order of arrival, and devices that only the newsletter tool knows."""
    rng = Random(f"{SEED}/{shop.tenant}")
    events: list[Event] = []
    known: list[KnownDevice] = []
    for first_day, person in people_of(shop, rng):
        own = list(life(shop, person, first_day, rng))
        events += own
        if person.has_account and rng.random() < 0.8:
            logged_in = {event.device_id for event in own if event.user_id}
            for device in person.devices:
                seen = [event.at for event in own if event.device_id == device.device_id]
                if seen and device.device_id not in logged_in:
                    first_seen_at = f"{as_datetime(min(seen)):%Y-%m-%d %H:%M:%S}"
                    known.append(KnownDevice(shop.tenant, device.anonymous_id, person.user_id, first_seen_at))
    events += scenes(shop, rng)
    events += sent_again(events, rng)
    events.sort(key=lambda event: (event.received_at, event.at))
    return events, known


def _write_lisbon(folder: Path, events: Sequence[Event]) -> list[Path]:
    """One file per week of arrival; the second one holds what broken clients sent."""
    paths = []
    for first in range(0, DAYS, 7):
        since, until = START + first * DAY, START + (first + 7) * DAY
        lines = [posthog_line(event, LISBON.tenant) for event in events if since <= event.received_at < until]
        if first == 7:
            lines = _scattered(lines, broken.NDJSON_LINES)
        path = folder / f"lisbon-{FIRST_DAY + timedelta(days=first)}.ndjson"
        path.write_bytes(b"\n".join(lines) + b"\n")
        paths.append(path)
    return paths


def _write_porto(path: Path, events: Sequence[Event]) -> Path:
    lines = _scattered(csv_lines(events, PORTO.tenant), broken.CSV_LINES)
    path.write_bytes(",".join(CSV_HEADER).encode() + b"\n" + b"".join(lines))
    return path


def _write_madrid(path: Path, events: Iterable[Event]) -> Path:
    rows = [parquet_row(event, MADRID.tenant) for event in events]
    rows = _scattered(rows, broken.PARQUET_ROWS)
    pq.write_table(pa.Table.from_pylist(rows, schema=PARQUET_SCHEMA), path, compression="zstd")
    return path


def _write_london(path: Path, events: Iterable[Event]) -> Path:
    lines = [segment_line(event, LONDON.tenant) for event in events]
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as out:  # no name, no time: same bytes
        out.write(b"\n".join(lines) + b"\n")
    return path


def _scattered(rows: Sequence[T], strays: Sequence[T]) -> list[T]:
    """The rows with the strays spread evenly among them."""
    gap = len(rows) // (len(strays) + 1)
    result = list(rows)
    for position, stray in reversed(list(enumerate(strays, start=1))):
        result.insert(position * gap, stray)
    return result


if __name__ == "__main__":
    for written in vars(write_sample(Path(sys.argv[1]))).values():
        print(*written, sep="\n")
