"""A warehouse with a server of its own, in which what a small statement reads shows."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from warehouse.connection import Warehouse, connect
from warehouse.ports import free_ports

# The least that a look-up reads is a granule, 8192 rows as a rule. The histories of these tests are some sixty times
# smaller than those of which that is little, so let their granules be, too.
_SMALL_GRANULES = "<clickhouse><merge_tree><index_granularity>128</index_granularity></merge_tree></clickhouse>"


@contextmanager
def small_grained(server: Warehouse, folder: Path) -> Iterator[Warehouse]:
    """A warehouse with small granules and its home in `folder`."""
    http_port, tcp_port, ui_port = free_ports(3)
    settings = server.settings.model_copy(
        update={"home": folder / "home", "http_port": http_port, "tcp_port": tcp_port, "ui_port": ui_port}
    )
    granules = folder / "home" / "warehouse" / "config.d" / "granules.xml"
    granules.parent.mkdir(parents=True)
    granules.write_text(_SMALL_GRANULES)
    with connect(settings) as warehouse:
        yield warehouse
