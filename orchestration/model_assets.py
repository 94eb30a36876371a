"""The dbt models and `published` as assets: what a build makes, as Dagster shows it."""

import json
from datetime import timedelta
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg
from dagster_dbt import DbtProject

from ingest import landing_folder
from orchestration.built_models import project_hash
from orchestration.fingerprints import read_models
from orchestration.project import manifest, project_dir
from orchestration.translator import DEFAULT_OWNER, FootfallTranslator, kind_of
from warehouse.settings import get_settings

MANIFEST_FILE = manifest(get_settings(), project_dir())
MANIFEST: dict[str, Any] = json.loads(MANIFEST_FILE.read_text(encoding="utf-8"))
PROJECT = DbtProject(project_dir())
TRANSLATOR = FootfallTranslator(get_settings().database)

LEDGER = dg.AssetKey(["raw", "loads"])
LANDING = [dg.AssetKey(["raw", table]) for table in landing_folder.TABLES]
PUBLISHED = dg.AssetKey("published")

# A day's delivery and two hours to load and build it; twice that, and a delivery or a build is missing.
_LATE = timedelta(hours=26)
_TOO_LATE = timedelta(hours=52)
_FRESH = dg.FreshnessPolicy.time_window(warn_window=_LATE, fail_window=_TOO_LATE)


def _model_specs() -> dict[str, dg.AssetSpec]:
    """The asset of every model, seed and snapshot by its dbt id, each behind those that it reads."""
    specs: dict[str, dg.AssetSpec] = {}
    models = read_models(MANIFEST_FILE, project_dir())
    for unique_id in TopologicalSorter(MANIFEST["parent_map"]).static_order():
        node = MANIFEST["nodes"].get(unique_id, {})
        if node.get("resource_type") not in {"model", "seed", "snapshot"}:
            continue
        if node["config"]["materialized"] == "ephemeral":
            continue
        # A build with nothing to do makes none of them, and yet is no failure.
        spec = TRANSLATOR.get_asset_spec(MANIFEST, unique_id, PROJECT).replace_attributes(skippable=True)
        # Dagster says that a table's code changed when the next build would rebuild it, and no sooner.
        table = node["alias"]
        spec = spec.replace_attributes(code_version=project_hash({table: dict(models[table].parts)}))
        is_read = _is_read(unique_id)
        if is_read or not any(parent in specs for parent in MANIFEST["parent_map"][unique_id]):
            # A backfill of landing days and tables starts with what waits for nothing of it, and whatever it starts
            # with starts the whole build.
            spec = _also_behind(spec, *LANDING)
        if is_read:
            # It says by itself that loads wait: Dagster looks no further than one arrow back.
            spec = _also_behind(spec, LEDGER).replace_attributes(freshness_policy=_FRESH)
        specs[unique_id] = spec
    return specs


def _is_read(unique_id: str) -> bool:
    """Whether people read it, rather than the next build alone."""
    return kind_of(MANIFEST["nodes"][unique_id]) in {"table", "view"}


def _also_behind(spec: dg.AssetSpec, *keys: dg.AssetKey) -> dg.AssetSpec:
    known = {dep.asset_key for dep in spec.deps}
    return spec.merge_attributes(deps=[key for key in keys if key not in known])


MODEL_SPECS = _model_specs()

PUBLISHED_SPEC = dg.AssetSpec(
    PUBLISHED,
    # The landing days directly as well: a backfill of them and of this alone then loads before it builds. Of the tables
    # those that people read: it is made of all, and so many arrows say nothing.
    deps=[LEDGER, *LANDING, *(spec.key for unique_id, spec in MODEL_SPECS.items() if _is_read(unique_id))],
    skippable=True,
    group_name="published",
    kinds={"clickhouse"},
    owners=[f"team:{DEFAULT_OWNER}"],
    freshness_policy=_FRESH,
    description="The published database, what everyone reads: all tables of the candidate are exchanged with it once "
    "every check that may stop a build has passed. The previous version stays until the next build, for `footfall "
    "rollback`.",
)
