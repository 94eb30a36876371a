"""Runs dbt as a process, follows what it reports, and reads what came of every model and test."""

import json
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.project import dbt_command, environment, project_dir
from warehouse.connection import Warehouse

_FAILED = {"error", "fail", "runtime error"}
_RAN = {"success", "pass", "warn", *_FAILED}


@dataclass(frozen=True)
class NodeResult:
    """What dbt says of one model or test: `rows` is how many rows a test found, `sql` what it ran, compiled."""

    unique_id: str
    status: str
    message: str
    rows: int
    seconds: float
    sql: str

    @property
    def ran(self) -> bool:
        """Whether it ran at all: what comes after a failure is skipped."""
        return self.status in _RAN

    @property
    def failed(self) -> bool:
        """Whether it ended in a way that fails the build."""
        return self.status in _FAILED

    @property
    def sentence(self) -> str:
        """The name, and what went wrong in the server's or dbt's own words."""
        return f"{self.unique_id.split('.')[2]}: {_plainly(self.message or self.status)}"


@dataclass(frozen=True)
class DbtOutcome:
    """What came of a dbt command: its results, and a sentence for all that failed, none if all went well."""

    results: tuple[NodeResult, ...]
    failures: tuple[str, ...]

    def passed(self) -> int:
        """How many tests passed."""
        return sum(result.status == "pass" for result in self.results)

    def by_id(self) -> dict[str, NodeResult]:
        """The results by the node's dbt id."""
        return {result.unique_id: result for result in self.results}


def run_dbt(
    warehouse: Warehouse,
    arguments: Sequence[str],
    *,
    target: Path,
    variables: Mapping[str, str] | None = None,
    when_done: Callable[[str], None] = lambda unique_id: None,
) -> DbtOutcome:
    """Run dbt with these arguments; `when_done` hears the dbt id of each node as it ends.

    Its artifacts go to `target`; `variables` are added to its environment. What dbt prints goes to the standard output.
    A dbt that fails is in the outcome, not raised; the process ends with the block, however that ends.
    """
    results = target / "run_results.json"
    results.unlink(missing_ok=True)
    process = subprocess.Popen(
        [*dbt_command(), "--no-use-colors", "--log-format", "json", *arguments],
        env={
            **environment(warehouse.settings, project_dir(), warehouse.environment()),
            "DBT_TARGET_PATH": str(target),
            **(variables or {}),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    errors: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            event = _event(line)
            print(event["info"]["msg"], flush=True)
            if event["info"]["level"] == "error":
                errors.append(event["info"]["msg"])
            node = event["data"].get("node_info", {})
            if node.get("node_finished_at"):
                when_done(node["unique_id"])
        code = process.wait()
    finally:
        process.kill()
        process.wait()
    return outcome_of(code, results, errors)


def _event(line: str) -> dict[str, Any]:
    """One line of dbt's log; what is not one (a crash of Python, ...) counts as an error in its own words."""
    try:
        event = json.loads(line)
        return {"info": event["info"], "data": event.get("data", {})}
    except (ValueError, KeyError, TypeError):
        return {"info": {"msg": line.rstrip("\n"), "level": "error"}, "data": {}}


def outcome_of(code: int, file: Path, errors: Sequence[str]) -> DbtOutcome:
    """What a dbt that ended with this exit code has done, by its `run_results.json`, if any, and its errors."""
    results: tuple[NodeResult, ...] = ()
    if file.exists():
        results = tuple(_result(entry) for entry in json.loads(file.read_text(encoding="utf-8"))["results"])
    if code == 0:
        return DbtOutcome(results, ())
    failed = tuple(result.sentence for result in results if result.failed)
    # dbt can also end badly with nothing but good results, or none: the project does not compile, the warehouse does
    # not answer, it was killed, there is no room for its artifacts.
    said = " ".join(_plainly(error) for error in errors[-3:]) or "it did not say why"
    return DbtOutcome(results, failed or (f"dbt ended with exit code {code}: {said}",))


def _result(entry: Mapping[str, Any]) -> NodeResult:
    return NodeResult(
        unique_id=entry["unique_id"],
        status=entry["status"],
        message=entry["message"] or "",
        rows=entry["failures"] or 0,
        seconds=entry["execution_time"],
        sql=(entry.get("compiled_code") or "").strip(),
    )


def _plainly(message: str) -> str:
    """On one line, and of a database error only the server's own words."""
    line = " ".join(message.split())
    return re.sub(r"\s*\((version \d|for url).*$", "", line.partition("server response: ")[2] or line)
