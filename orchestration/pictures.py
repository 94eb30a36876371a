"""Pictures of published tables, as metadata of their materializations."""

import base64
import threading
from collections.abc import Mapping
from typing import Any

import dagster as dg

from orchestration.model_assets import MANIFEST
from reporting import PICTURED
from warehouse.connection import Warehouse

# What the picture and the small table are called in the metadata.
_PICTURE, _SUMMARY = "picture", "summary"


def prepare_in_background() -> None:
    """Import what draws, and draw once, in a thread, for a caller that waits for something else: it takes seconds."""
    if any(node.get("alias") in PICTURED for node in MANIFEST["nodes"].values()):
        threading.Thread(target=_prepare, daemon=True).start()


def picture_metadata(warehouse: Warehouse, table: str, before: Mapping[str, dg.MetadataValue]) -> dict[str, Any]:
    """A chart and a small table of the published table; empty for tables that have none.

    `before` is what the record says of the table if that has not changed since: a picture in it is taken over. What is
    published stays published: for a picture that cannot be drawn there is a warning in the run's log.
    """
    if table not in PICTURED:
        return {}
    if _PICTURE in before:
        return {name: before[name] for name in (_PICTURE, _SUMMARY) if name in before}
    try:
        from reporting.pictures import picture_of

        with warehouse.client(warehouse.settings.database) as client:
            picture = picture_of(client, table)
    except Exception as error:
        dg.get_dagster_logger().warning(f"The picture of {table} could not be drawn: {error}")
        return {}
    image = base64.b64encode(picture.png).decode()
    metadata: dict[str, Any] = {_PICTURE: dg.MetadataValue.md(f"![{table}](data:image/png;base64,{image})")}
    if picture.rows:
        metadata[_SUMMARY] = dg.MetadataValue.table([dg.TableRecord(row) for row in picture.rows])
    return metadata


def _prepare() -> None:
    from reporting.pictures import draw_nothing

    draw_nothing()
