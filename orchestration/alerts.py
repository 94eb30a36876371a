"""Posts every failed run to a URL of yours: FOOTFALL_ALERT_URL, a chat's incoming webhook for example."""

import os
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import httpx
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed

from orchestration.run import cause
from warehouse.server_files import ServerFiles
from warehouse.settings import Settings, get_settings

URL = "FOOTFALL_ALERT_URL"
_SECONDS = 10.0
_SECRETS = ("CLICKHOUSE_PASSWORD", "FOOTFALL_SECRET", "DAGSTER_POSTGRES_PASSWORD", URL)


@dg.run_failure_sensor(
    monitor_all_code_locations=True,  # those of the command line belong to none
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=f"Posts each failed run as JSON to the URL in {URL}; does nothing if that is not set.",
)
def failed_runs(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
    """Tell the URL of a run that failed, whoever started it."""
    url = os.environ.get(URL)
    if not url:
        return dg.SkipReason(f"{URL} is not set: nobody is told.")
    reasons = [
        cause(event.step_failure_data.error)
        for event in context.get_step_failure_events()
        if event.step_failure_data.error
    ]
    run = context.dagster_run
    post(
        url, alert(get_settings(), run.job_name, run.run_id, "; ".join(reasons) or context.failure_event.message or "")
    )
    return None


def alert(settings: Settings, job: str, run_id: str, reason: str) -> dict[str, str]:
    """What is posted; `text` alone is what chats show. No secret is in it, whatever the reason quotes."""
    what = "A run started in the UI" if job.startswith("__") else f"The job {job}"
    where = f"http://127.0.0.1:{settings.ui_port}/runs/{run_id}"
    reason = _without_secrets(settings, reason)
    return {
        "text": f"{what} failed: {reason} See {where}",
        "job": job,
        "run_id": run_id,
        "reason": reason,
        "url": where,
    }


def post(url: str, payload: Mapping[str, str]) -> None:
    """Post it as JSON, three times if need be; raises dg.Failure, in which the URL, often a secret, is not named."""
    try:
        _post(url, payload)
    except httpx.HTTPStatusError as error:
        raise dg.Failure(f"The alert was not taken: the address in {URL} says {error.response.status_code}.") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise dg.Failure(f"The alert could not be sent to the address in {URL}: {type(error).__name__}.") from None


@retry(retry=retry_if_exception_type(httpx.HTTPError), stop=stop_after_attempt(3), wait=wait_fixed(1), reraise=True)
def _post(url: str, payload: Mapping[str, str]) -> None:
    httpx.post(url, json=payload, timeout=_SECONDS).raise_for_status()


def _without_secrets(settings: Settings, text: str) -> str:
    kept = [ServerFiles.of_home(settings.home).password, settings.home / "secret"]
    secrets = [os.environ.get(name, "") for name in _SECRETS] + [_content(path) for path in kept]
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return text


def _content(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""
