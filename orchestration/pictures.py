"""Pictures of published tables, as metadata of their materializations."""

import base64
from typing import Any

import dagster as dg

from reporting import PICTURED
from warehouse.connection import Warehouse


def picture_metadata(warehouse: Warehouse, table: str) -> dict[str, Any]:
    """A chart and a small table of the published table; empty for tables that have none.

    What is published stays published: for a picture that cannot be drawn there is a warning in the run's log.
    """
    if table not in PICTURED:
        return {}
    try:
        from reporting.pictures import picture_of

        with warehouse.client(warehouse.settings.database) as client:
            picture = picture_of(client, table)
    except Exception as error:
        dg.get_dagster_logger().warning(f"The picture of {table} could not be drawn: {error}")
        return {}
    image = base64.b64encode(picture.png).decode()
    metadata: dict[str, Any] = {"picture": dg.MetadataValue.md(f"![{table}](data:image/png;base64,{image})")}
    if picture.rows:
        metadata["summary"] = dg.MetadataValue.table([dg.TableRecord(row) for row in picture.rows])
    return metadata
