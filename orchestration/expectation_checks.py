"""The Great Expectations suites as blocking asset checks on the candidate: one step, one context, all suites."""

from collections.abc import Iterator

import dagster as dg

from expectations.runner import run_suites
from orchestration import build_log
from orchestration.model_assets import SUITES, model_assets
from orchestration.resources import WarehouseResource
from orchestration.said import say

_MODELS = {key.path[-1]: key for key in model_assets.keys}


@dg.multi_asset_check(
    name="expectations",
    specs=[
        dg.AssetCheckSpec(
            name="expectations",
            asset=_MODELS[suite.table],
            blocking=True,
            description="; ".join(entry["why"] for entry in suite.expectations),
        )
        for suite in SUITES
    ],
)
def expectation_checks(
    context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource
) -> Iterator[dg.AssetCheckResult]:
    """Run every suite over the candidate database; a critical failure stops the publication."""
    opened = warehouse.get()
    stopped: list[str] = []
    results = list(run_suites(opened, opened.settings.next_database, SUITES))
    for result in results:
        for failure in result.failures:
            stopped.append(f"{result.table}: {failure}")
            say(context.log, f"  error: {result.table}: {failure}")
        for doubt in result.warnings:
            say(context.log, f"  warning: {result.table}: {doubt}")
    passed = sum(result.passed for result in results)
    say(context.log, f"Great Expectations: {passed} expectations hold, {len(stopped)} do not")
    if stopped:
        build_log.failed(opened, context.op_execution_context.run_id, tuple(stopped))
    for result in results:
        yield dg.AssetCheckResult(
            asset_key=_MODELS[result.table],
            check_name="expectations",
            passed=result.success and not result.warnings,
            severity=dg.AssetCheckSeverity.ERROR if result.failures else dg.AssetCheckSeverity.WARN,
            metadata={"passed": result.passed, "failures": list(result.failures), "warnings": list(result.warnings)},
        )
