"""Frames are small and true, whatever the number of tenants and days."""

import pytest
from clickhouse_connect.driver.client import Client

from reporting import PICTURED, frames
from reporting.pictures import picture_of
from tests.reporting.conftest import Fill


@pytest.mark.usefixtures("two_years")
def test_pictures_of_a_hundred_tenants_and_two_years_stay_small(client: Client) -> None:
    sessions = frames.sessions_per_day(client)
    assert len(sessions) == frames.PANELS * frames.DAYS
    assert list(dict.fromkeys(sessions["tenant"])) == [
        "tenant99", "tenant98", "tenant97", "tenant96", "tenant95", "95 other tenants",
    ]  # fmt: skip
    others = sessions[sessions["tenant"] == "95 other tenants"]
    assert set(others["identified"]) == {sum(range(95))}
    assert set(others["anonymous"]) == {950}

    reach = frames.funnel_reach(client)
    assert len(reach) == frames.PANELS * 3
    assert set(reach["is_settled"]) == {1}
    assert f"{reach['last_date'].max():%Y-%m-%d}" == "2027-12-16"
    # The latest 90 days, of which the last 15 are not settled.
    assert list(reach["entries"][:3]) == [199 * 75, 99 * 75, 66 * 75]

    triangles = frames.retention_triangles(client)
    assert list(dict.fromkeys(triangles["definition"])) == ["a", "b", "c", "d"]
    # Of the latest twelve cohorts the last two have no period that is over, and nobody's period is beyond the fourth.
    assert len(triangles) == frames.RETENTION_PANELS * (7 * 4 + 3 + 2 + 1)
    assert set(triangles["people"]) == {100 * 100}
    assert set(triangles["retained"]) == {0.5}

    credit = frames.credit_by_channel(client)
    assert len(credit) == 10
    assert set(credit["conversions"]) == {100 * frames.CREDIT_DAYS / 2}
    assert set(credit["share"]) == {0.5}

    ids = frames.ids_per_person(client)
    assert list(ids["ids"]) == ["1", "2", "3", "4 to 5", "6 to 10", "11 to 50", "51 to 1,000", "over 1,000"]
    assert list(ids["identified"] + ids["anonymous"]) == [100, 100, 100, 200, 500, 4000, 95000, 100000]

    for summary in (
        frames.sessions_by_tenant, frames.funnels_by_tenant, frames.conversions_by_tenant, frames.people_by_tenant
    ):  # fmt: skip
        assert len(summary(client)) == frames.TABLE_ROWS

    # Base64 of it is kept in Dagster's record of every build.
    assert all(5_000 < len(picture_of(client, table).png) < 100_000 for table in PICTURED)


def test_six_tenants_have_a_panel_each(client: Client, fill: Fill) -> None:
    fill("int_tenants", "tenant_id, last_event_date", "SELECT 'a', '2026-03-01'")
    fill(
        "session_stats_daily",
        "tenant_id, date, sessions_count",
        "SELECT char(97 + number), '2026-03-01', 6 - number FROM numbers(6)",
    )
    assert list(frames.sessions_per_day(client)["tenant"]) == ["a", "b", "c", "d", "e", "f"]


def test_a_funnel_shows_days_that_are_settled_unless_it_has_none(client: Client, fill: Fill) -> None:
    fill("int_tenants", "tenant_id, last_event_date", "SELECT 't', '2026-03-02'")
    fill(
        "funnel_conversions_daily",
        "tenant_id, funnel_id, entry_date, step_number, users_count, is_window_complete",
        """
        SELECT * FROM VALUES('tenant String, funnel String, day Date, step UInt16, users UInt64, settled UInt8',
            ('t', 'old', '2026-03-01', 1, 5, 1), ('t', 'old', '2026-03-02', 1, 100, 0),
            ('t', 'new', '2026-03-01', 1, 7, 0), ('t', 'new', '2026-03-02', 1, 8, 0))
        """,
    )
    reach = frames.funnel_reach(client).set_index("funnel")
    assert dict(reach["entries"]) == {"new": 15, "old": 5}
    assert dict(reach["is_settled"]) == {"new": 0, "old": 1}


def test_the_latest_cohorts_are_days_weeks_or_months(client: Client, fill: Fill) -> None:
    fill("int_tenants", "tenant_id, last_event_date", "SELECT 't', '2027-12-30'")
    fill(
        "int_retention_definitions",
        "tenant_id, retention_id, period",
        "SELECT 't', period, period FROM VALUES('period String', 'day', 'week', 'month')",
    )
    fill(
        "retention",
        "tenant_id, retention_id, cohort_date, period_number, users_count, retained_count, is_complete",
        """
        SELECT DISTINCT 't', period,
            multiIf(period = 'day', day, period = 'week', toMonday(day), toStartOfMonth(day)), number, 10, 5, 1
        FROM (SELECT arrayJoin(arrayMap(ago -> toDate('2027-12-30') - ago, range(700))) AS day) AS days
        ARRAY JOIN ['day', 'week', 'month'] AS period ARRAY JOIN range(2) AS number
        """,
    )
    cohorts = frames.retention_triangles(client).groupby("definition")["cohort"].agg(["count", "min"])
    assert {definition: (row["count"], f"{row['min']:%Y-%m-%d}") for definition, row in cohorts.iterrows()} == {
        "day": (12, "2027-12-19"),
        "week": (12, "2027-10-11"),
        "month": (12, "2027-01-01"),
    }
    assert set(frames.retention_by_definition(client)["cohorts"]) == {12}


def test_a_share_of_nothing_is_no_share(client: Client, fill: Fill) -> None:
    fill("int_tenants", "tenant_id, last_event_date", "SELECT 't', '2026-03-02'")
    fill(
        "retention",
        "tenant_id, retention_id, cohort_date, period_number, users_count, retained_count, is_complete",
        "SELECT 't', 'monthly', '2026-03-01', number, 10, 10 - number, 0 FROM numbers(2)",
    )
    assert frames.retention_triangles(client).empty
    (row,) = picture_of(client, "retention").rows
    assert row["people"] == 10
    assert row["period 1, %"] == ""


@pytest.mark.parametrize("table", sorted(PICTURED))
def test_tables_without_rows_have_a_picture_that_says_so(client: Client, table: str) -> None:
    picture = picture_of(client, table)
    assert picture.png.startswith(b"\x89PNG")
    assert len(picture.png) < 10_000
    assert picture.rows == []
