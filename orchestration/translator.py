"""How a dbt node becomes a Dagster asset: group, kinds and owners on top of dagster-dbt's own reading of it."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject

from warehouse.publishing import UNPUBLISHED

DEFAULT_OWNER = "analytics"

# The groups of the asset graph, in the order in which it is read: every arrow goes from a group to itself or to a later
# one. A dbt model or seed is in the group whose name its folder has.
SUBJECTS = (
    "raw",
    "loads",
    "events",
    "identity",
    "sessions",
    "people",
    "attribution",
    "funnels",
    "retention",
    "mcp",
    "engagement",
    "projects",
    "published",
)
# What a model is for, by how its name begins: keys that changed in this build, or what the next build starts from.
_KINDS = {"changed_": "feed", "int_": "state", "stg_": "staging"}


def group_of(node: Mapping[str, Any]) -> str:
    """The group of a dbt node: the folder it lies in, so `models/marts/sessions/x.sql` is in `sessions`.

    Sources are `raw`.
    """
    if node["resource_type"] == "source":
        return "raw"
    folders = node["fqn"][1:-1]
    return folders[-1] if folders else "models"


def kind_of(node: Mapping[str, Any]) -> str:
    """What a dbt node is to a person: `seed`, `staging`, `feed` or `state` of the builds, or a `table` or `view`."""
    if node["resource_type"] == "seed":
        return "seed"
    for prefix, kind in _KINDS.items():
        if node["name"].startswith(prefix):
            return kind
    return "view" if node["config"]["materialized"] == "view" else "table"


class FootfallTranslator(DagsterDbtTranslator):
    """One override for everything that Footfall wants to differ from dagster-dbt's defaults."""

    def __init__(self, published: str) -> None:
        """`published` is the name of the published database."""
        super().__init__(DagsterDbtTranslatorSettings(enable_code_references=True))
        self._published = published

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        """The asset of a dbt node: dagster-dbt's, with our group, kind and owner."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = self.get_resource_props(manifest, unique_id)
        table = node.get("alias") or node["name"]
        if node["resource_type"] == "source":
            return spec.replace_attributes(group_name=group_of(node))
        if not table.startswith(UNPUBLISHED):
            # Where people find it, rather than where it is built.
            spec = spec.merge_attributes(metadata={"dagster/table_name": f"{self._published}.{table}"})
        return spec.replace_attributes(
            group_name=group_of(node),
            kinds={"dbt", "clickhouse", kind_of(node)},
            owners=[f"team:{node['config'].get('meta', {}).get('owner', DEFAULT_OWNER)}"],
        )
