"""`footfall rollback`: the previously published version again."""

from cli.console import out
from warehouse.connection import connect
from warehouse.lock import exclusive
from warehouse.settings import get_settings


def run_rollback() -> None:
    """Swap the previous version back in; raises FootfallError if there is none."""
    from orchestration import build_log
    from warehouse import publishing

    settings = get_settings()
    with connect(settings) as warehouse, exclusive(warehouse, "rollback"):
        # What is published is known by the journal, before and after; the log only follows it.
        build_log.settle(warehouse)
        publishing.rollback(warehouse)
        build_log.settle(warehouse)
        now = build_log.last_published(warehouse)
        which = f"published {now.published_at:%Y-%m-%d %H:%M:%S} UTC" if now and now.published_at else "before"
        out().print(f"{settings.database} is again the version {which}. footfall build brings it up to date.")
