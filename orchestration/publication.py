"""The last step of a build: the checked candidate becomes what everyone reads."""

import dagster as dg

from orchestration import build_log
from orchestration.model_assets import model_assets
from orchestration.resources import WarehouseResource
from orchestration.said import say
from warehouse import publishing
from warehouse.errors import FootfallError


@dg.asset(
    deps=list(model_assets.keys),
    group_name="published",
    kinds={"clickhouse"},
    owners=["team:analytics"],
    description="The published database, what everyone reads: all tables of the candidate are exchanged with it once "
    "every blocking check has passed. The version before stays until the next build, for `footfall rollback`.",
)
def published(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> dg.MaterializeResult:
    """Publish the candidate that this very run built and checked."""
    opened = warehouse.get()
    try:
        build = build_log.get(opened, context.run_id)
    except KeyError:
        raise dg.Failure(
            "This run has built nothing that could be published: start the job build_warehouse as a whole."
        ) from None
    if build.status != "running":
        raise dg.Failure(f"The build of this run is {build.status}: start the job build_warehouse again.")
    try:
        publishing.publish(opened, publishing.Version(build.build_id, build.project_hash))
    except FootfallError:
        # Once the swap is journalled it will be finished, by the next command that writes.
        if publishing.standing(opened).published.build_id != build.build_id:
            build_log.failed(opened, context.run_id, ("publish",))
        raise
    build_log.published(opened, context.run_id)
    say(context.log, f"Published loads up to {build.to_seq} as {opened.settings.database}")
    return dg.MaterializeResult(
        metadata={"from_seq": build.from_seq, "to_seq": build.to_seq, "full refresh": build.full_refresh}
    )
