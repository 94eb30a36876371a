"""`footfall rollback`: the previously published version again."""

from cli.console import out
from warehouse.connection import connect
from warehouse.errors import FootfallError
from warehouse.lock import exclusive
from warehouse.settings import get_settings


def run_rollback() -> None:
    """Swap the previous version back in; raises FootfallError if there is none."""
    from orchestration import build_log
    from warehouse import publishing

    settings = get_settings()
    with connect(settings) as warehouse, exclusive(settings, "rollback"):
        build_log.settle(warehouse, swap_finished=publishing.recover(warehouse))
        # Logged first: should this die half-way, the log must not claim a version that is not there. Claiming an
        # older one only costs a full refresh.
        build = build_log.last_published(warehouse)
        if build is not None:
            build_log.rolled_back(warehouse, build)
        try:
            publishing.rollback(warehouse)
        except FootfallError:
            if build is not None:
                build_log.restored(warehouse, build)
            raise
        now = build_log.last_published(warehouse)
        which = f"published {now.published_at:%Y-%m-%d %H:%M:%S} UTC" if now and now.published_at else "before"
        out().print(
            f"{settings.database} is again the version {which}. footfall build brings it up to date.", markup=False
        )
