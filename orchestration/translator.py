"""How a dbt node becomes a Dagster asset: group, kinds and owners on top of dagster-dbt's own reading of it."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject

from warehouse.publishing import UNPUBLISHED

DEFAULT_OWNERS = ("team:analytics",)


def group_of(node: Mapping[str, Any]) -> str:
    """The group of a dbt node: the folder it lies in, so `models/marts/sessions/x.sql` is in `sessions`.

    Seeds are one group, sources are `raw`.
    """
    if node["resource_type"] == "source":
        return "raw"
    if node["resource_type"] == "seed":
        return "seeds"
    folders = node["fqn"][1:-1]
    return folders[-1] if folders else "models"


class FootfallTranslator(DagsterDbtTranslator):
    """One override for everything that Footfall wants to differ from dagster-dbt's defaults."""

    def __init__(self, published: str) -> None:
        """`published` is the name of the published database."""
        super().__init__(DagsterDbtTranslatorSettings(enable_code_references=True))
        self._published = published

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        """The asset of a dbt node: dagster-dbt's, with our group, what it is materialized as, and an owner."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = self.get_resource_props(manifest, unique_id)
        materialized = node.get("config", {}).get("materialized")
        table = node.get("alias") or node["name"]
        if node["resource_type"] != "source" and not table.startswith(UNPUBLISHED):
            # Where people find it, rather than where it is built.
            spec = spec.merge_attributes(metadata={"dagster/table_name": f"{self._published}.{table}"})
        return spec.replace_attributes(
            group_name=group_of(node),
            kinds={"dbt", "clickhouse"} | ({materialized} if materialized in {"view", "seed"} else set()),
            owners=list(spec.owners) or list(DEFAULT_OWNERS),
        )
