"""The sensor on the landing folder: one run for all days that changed, and another for those whose run failed."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import dagster as dg

from ingest import landing_folder as files_there
from orchestration.automation import RETRIED, load_landing
from orchestration.landing_days import LANDING_DAYS
from orchestration.landing_state import landing_state
from orchestration.raw_assets import LandingConfig
from warehouse.settings import get_settings

# The sensor comes back to a day whose run failed after an hour, and then after twice as long each time.
_RETRY_AFTER_SECONDS = 3600.0
_RETRIES = 4


@dataclass(frozen=True)
class _Asked:
    """What the sensor knows of a table's landing day: what it held when a run was asked for, when, and how often in
    vain. `is_settled` once that run has succeeded, or will not be repeated.
    """

    digest: str
    at: int
    tries: int = 1
    is_settled: bool = False


@dg.sensor(
    job=load_landing,
    minimum_interval_seconds=60,
    description="Loads the landing days in which a file, or a footfall.yml, is new, changed or gone: one run for all "
    "of them. A day whose run failed is tried again after one, two, four and eight hours, or as soon as it changes.",
)
def landing_folder(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Ask for one run of all days whose files look different from when they were last asked for."""
    landing = files_there.folder(get_settings())
    state = landing_state(landing)
    left = [f"This is not loaded: {stray}." for stray in files_there.strays(landing)] + _unknown_days(state)
    if left:
        context.log.warning(_shortened(left, 10))
    now = {key: digest for key, digest in state.items() if _is_partition(key)}
    asked, again = _settled(context.instance, _read(context.cursor))
    changed = {key for key in now.keys() | asked.keys() if key not in asked or now.get(key, "") != asked[key].digest}
    wanted = sorted(changed | again)
    if not wanted:
        return _result(asked, skip_reason=f"No landing day has changed. {_shortened(left, 3)}".strip())
    if _is_queued(context.instance):
        days = len({_day(key) for key in wanted})
        waiting = "1 landing day waits" if days == 1 else f"{days} landing days wait"
        reason = f"{waiting}: a run of load_landing is still in the queue."
        return _result(asked, skip_reason=reason)
    for key in wanted:
        tries = 1 if key in changed else asked[key].tries + 1
        asked[key] = _Asked(now.get(key, ""), round(time.time()), tries)
    return _result(asked, run_requests=[_request(context.instance, wanted)])


def _unknown_days(state: Mapping[str, str]) -> list[str]:
    """Days that are no partition yet, because they appeared before the first one after the definitions were read."""
    early = sorted(key for key in state if date.fromisoformat(_day(key)) < LANDING_DAYS.start.date())
    if not early:
        return []
    return [
        f"{', '.join(early[:3])}{', …' if early[3:] else ''} came after the days were counted from "
        f"{LANDING_DAYS.start.date()}: loaded once the code location is reloaded, which `footfall up` does by itself."
    ]


def _shortened(sentences: list[str], most: int) -> str:
    more = [f"There are {len(sentences) - most} more; `footfall status` names them."] if sentences[most:] else []
    return " ".join([*sentences[:most], *more])


def _day(key: str) -> str:
    """The day in `events/2026-01-01`."""
    return key.partition("/")[2]


def _is_partition(key: str) -> bool:
    return LANDING_DAYS.start.date() <= date.fromisoformat(_day(key)) <= files_there.today()


def _read(cursor: str | None) -> dict[str, _Asked]:
    """What earlier ticks asked for. Cursors of another form (of an older version) are forgotten: all is looked at."""
    try:
        return {key: _Asked(**each) for key, each in json.loads(cursor or "{}").items() if _is_partition(key)}
    except (TypeError, ValueError):
        return {}


def _settled(instance: dg.DagsterInstance, asked: Mapping[str, _Asked]) -> tuple[dict[str, _Asked], set[str]]:
    """The days, those marked that have been loaded or given up; and those whose run failed and is to be repeated."""
    known, again = {}, set()
    for table in files_there.TABLES:
        open_days = [_day(key) for key, each in asked.items() if key.startswith(f"{table}/") and not each.is_settled]
        key_of_asset = dg.AssetKey(["raw", table])
        statuses = (
            instance.get_status_by_partition(key_of_asset, open_days, LANDING_DAYS) if open_days else None
        ) or {}
        for day in open_days:
            key, status = f"{table}/{day}", statuses.get(day)
            each = asked[key]
            if status is not None and status.name == "MATERIALIZED":
                known[key] = replace(each, is_settled=True)
            elif status is not None and status.name == "FAILED":
                if each.tries > _RETRIES:
                    known[key] = replace(each, is_settled=True)
                elif time.time() >= each.at + _RETRY_AFTER_SECONDS * 2 ** (each.tries - 1):
                    again.add(key)
    # A day that is gone, and loaded since, is forgotten.
    everything = {**asked, **known}
    return {key: each for key, each in everything.items() if each.digest or not each.is_settled}, again


def _is_queued(instance: dg.DagsterInstance) -> bool:
    """Whether a run that this sensor asked for has not begun: what changes meanwhile can wait for the one after it."""
    waiting = dg.RunsFilter(
        job_name=load_landing.name,
        statuses=[dg.DagsterRunStatus.QUEUED],
        tags={"dagster/sensor_name": landing_folder.name},
    )
    return bool(instance.get_runs(waiting, limit=1))


def _result(asked: Mapping[str, _Asked], **what: Any) -> dg.SensorResult:
    cursor = json.dumps({key: asdict(each) for key, each in asked.items()}, sort_keys=True)
    return dg.SensorResult(cursor=cursor, **what)


def _request(instance: dg.DagsterInstance, wanted: list[str]) -> dg.RunRequest:
    """One run for all these days: over the range they span, and told into which of its days to look.

    The others it records as they are; so those among them that failed, or are being loaded, are looked into as well.
    """
    all_days = sorted({_day(key) for key in wanted})
    span = LANDING_DAYS.get_partition_keys_in_range(dg.PartitionKeyRange(all_days[0], all_days[-1]))
    ops = {}
    for table in files_there.TABLES:
        if days := {_day(key) for key in wanted if key.startswith(f"{table}/")}:
            statuses = instance.get_status_by_partition(dg.AssetKey(["raw", table]), span, LANDING_DAYS) or {}
            days |= {day for day, status in statuses.items() if status and status.name != "MATERIALIZED"}
            ops[f"raw__{table}"] = LandingConfig(days=sorted(days))
    # No run key: Dagster starts no run for one it knows, and a day may come to look as it did before.
    return dg.RunRequest(
        asset_selection=[dg.AssetKey(op.split("__")) for op in ops],
        run_config=dg.RunConfig(ops=ops),
        tags={
            "dagster/asset_partition_range_start": all_days[0],
            "dagster/asset_partition_range_end": all_days[-1],
            **RETRIED,
        },
    )
