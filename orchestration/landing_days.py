"""The days of delivery as Dagster's partitions: from the first that has files or loads to today."""

from contextlib import suppress
from datetime import date

import dagster as dg
from clickhouse_connect.driver.exceptions import ClickHouseError

from ingest import landing_folder, ledger
from warehouse.connection import connect
from warehouse.errors import FootfallError
from warehouse.server import is_running
from warehouse.settings import Settings, get_settings


def first_day(settings: Settings) -> date:
    """The first day with files in the landing folder or, if the warehouse runs, with loads; today if there is none.

    Without the ledger a day whose folder was removed could not be loaded again, and its rows could not go.
    """
    days = [landing_folder.today(), landing_folder.first_day(landing_folder.folder(settings))]
    # Only looking: Dagster comes here whenever it reads the definitions, and must not start a warehouse for that.
    if not settings.is_local or is_running(settings.home):
        with suppress(FootfallError, ClickHouseError), connect(settings) as warehouse:
            if warehouse.has_table(settings.raw_database, "loads"):
                with warehouse.client() as client:
                    days.append(ledger.first_day(client, settings.raw_database))
    return min(day for day in days if day is not None)


def days_from(first: date) -> dg.DailyPartitionsDefinition:
    """The partitions from that day on; today is one of them as soon as it begins (UTC)."""
    return dg.DailyPartitionsDefinition(start_date=first.isoformat(), end_offset=1)


# As of the moment the definitions are read. `footfall up` has them read again when an earlier day appears.
LANDING_DAYS = days_from(first_day(get_settings()))
