"""What each chart and each small table shows, as a pandas frame: one query, aggregated in the warehouse.

Every frame has a bounded number of rows, whatever the number of tenants, definitions and days. Pictures are drawn by
builds, whose cost follows the change: so a frame reads its table once, and of it only the latest days or what the last
build wrote, which a sort key, a partition or an index finds. A client must have the database that is shown as its
default database.
"""

import pandas as pd
from clickhouse_connect.driver.client import Client

# What fits into a picture that is read at a glance.
DAYS = 90
PANELS = 6
RETENTION_PANELS = 4
COHORTS = 12
TABLE_ROWS = 10
# Four weeks lie in two of the months by which `attribution_credit` is stored.
CREDIT_DAYS = 28

# The latest cohorts of each definition: they are days, weeks or months.
_LATEST_COHORTS = """
        WITH (SELECT max(last_event_date) FROM int_tenants) AS newest,
        latest AS (
            SELECT * FROM retention
            WHERE
                cohort_date > newest - {cohorts:UInt16}
                OR (
                    cohort_date > toMonday(newest) - 7 * {cohorts:UInt16}
                    AND (tenant_id, retention_id) IN (
                        SELECT tenant_id, retention_id FROM int_retention_definitions WHERE period = 'week'
                    )
                )
                OR (
                    cohort_date > toStartOfMonth(newest) - toIntervalMonth({cohorts:UInt16})
                    AND (tenant_id, retention_id) IN (
                        SELECT tenant_id, retention_id FROM int_retention_definitions WHERE period = 'month'
                    )
                )
        )"""


def sessions_per_day(client: Client) -> pd.DataFrame:
    """Sessions of the latest 90 days by day and tenant, largest tenant first; the smaller ones are added up.

    Columns: tenant, date, identified, anonymous (sessions).
    """
    return client.query_df(
        """
        WITH latest AS (
            SELECT
                tenant_id, date, identified_sessions_count, sessions_count,
                sum(sessions_count) OVER (PARTITION BY tenant_id) AS of_tenant
            FROM session_stats_daily
            WHERE date > (SELECT max(last_event_date) FROM int_tenants) - {days:UInt16}
        ),
        placed AS (
            SELECT *, dense_rank() OVER (ORDER BY of_tenant DESC, tenant_id) AS place FROM latest
        ),
        counted AS (
            SELECT *, max(place) OVER () AS tenants FROM placed
        )
        SELECT
            if(tenants <= {panels:UInt16} OR place < {panels:UInt16}, tenant_id,
                concat(toString(tenants - {panels:UInt16} + 1), ' other tenants')) AS tenant,
            date,
            sum(identified_sessions_count) AS identified,
            sum(sessions_count) - identified AS anonymous
        FROM counted
        GROUP BY tenant, date ORDER BY min(place), date
        """,
        parameters={"days": DAYS, "panels": PANELS},
    )


def sessions_by_tenant(client: Client) -> pd.DataFrame:
    """The latest day of the ten tenants with most sessions in the seven days up to it, and the seven days before."""
    return client.query_df(
        """
        WITH (SELECT max(last_event_date) FROM int_tenants) AS newest
        SELECT
            tenant_id AS tenant,
            toString(max(date)) AS latest,
            sumIf(sessions_count, date > newest - 7) AS `sessions, 7 days`,
            sumIf(sessions_count, date <= newest - 7) AS `7 days before`,
            round(100 * sumIf(bounce_rate * sessions_count, date > newest - 7) / nullIf(`sessions, 7 days`, 0), 1)
                AS `bounces, %`
        FROM session_stats_daily WHERE date > newest - 14
        GROUP BY tenant_id ORDER BY `sessions, 7 days` DESC, tenant LIMIT {rows:UInt16}
        """,
        parameters={"rows": TABLE_ROWS},
    )


def funnel_reach(client: Client) -> pd.DataFrame:
    """How many entries of the latest 90 days reached each step, for the funnels with most entries.

    Days on which people may still go on are left out, unless a funnel has no others.
    Columns: tenant, funnel, step_number, step_name, entries, is_settled, first_date, last_date.
    """
    return client.query_df(
        """
        WITH reach AS (
            SELECT
                tenant_id, funnel_id, step_number,
                is_window_complete AS is_settled,
                argMax(step_name, entry_date) AS step_name,
                sum(users_count) AS entries,
                min(entry_date) AS first_date,
                max(entry_date) AS last_date
            FROM funnel_conversions_daily
            WHERE entry_date > (SELECT max(last_event_date) FROM int_tenants) - {days:UInt16}
            GROUP BY tenant_id, funnel_id, step_number, is_settled
        ),
        preferred AS (
            SELECT *, max(is_settled) OVER (PARTITION BY tenant_id, funnel_id) AS preferably FROM reach
        ),
        measured AS (
            SELECT *, max(entries) OVER (PARTITION BY tenant_id, funnel_id) AS entered
            FROM preferred WHERE is_settled = preferably
        ),
        placed AS (
            SELECT *, dense_rank() OVER (ORDER BY entered DESC, tenant_id, funnel_id) AS place FROM measured
        )
        SELECT
            tenant_id AS tenant, funnel_id AS funnel, step_number, step_name, entries, is_settled, first_date, last_date
        FROM placed WHERE place <= {panels:UInt16}
        ORDER BY place, step_number
        """,
        parameters={"days": DAYS, "panels": PANELS},
    )


def funnels_by_tenant(client: Client) -> pd.DataFrame:
    """Entries and completions of the ten funnels with most entries, of the latest 90 days those that are settled."""
    return client.query_df(
        """
        WITH reach AS (
            SELECT tenant_id, funnel_id, step_number, sum(users_count) AS entries
            FROM funnel_conversions_daily
            WHERE
                is_window_complete
                AND entry_date > (SELECT max(last_event_date) FROM int_tenants) - {days:UInt16}
            GROUP BY tenant_id, funnel_id, step_number
        )
        SELECT
            tenant_id AS tenant,
            funnel_id AS funnel,
            max(step_number) AS steps,
            max(entries) AS entered,
            argMax(entries, step_number) AS finished,
            round(100 * finished / greatest(entered, 1), 1) AS `finished, %`
        FROM reach GROUP BY tenant_id, funnel_id ORDER BY entered DESC, tenant, funnel LIMIT {rows:UInt16}
        """,
        parameters={"days": DAYS, "rows": TABLE_ROWS},
    )


def retention_triangles(client: Client) -> pd.DataFrame:
    """The latest 12 cohorts and first 12 periods of the definitions with most cohorts, all tenants together.

    Only periods that are over. Columns: definition, cohort, people, period, retained (a share, 0 to 1).
    """
    return client.query_df(
        _LATEST_COHORTS  # noqa: S608 - our own text
        + """,
        cells AS (
            SELECT
                retention_id, cohort_date, period_number,
                sum(users_count) AS people,
                sumIf(retained_count, is_complete) / sumIf(users_count, is_complete) AS retained,
                max(is_complete) AS is_over
            FROM latest WHERE period_number <= {cohorts:UInt16}
            GROUP BY retention_id, cohort_date, period_number
        ),
        counted AS (
            SELECT
                *,
                sumIf(people, period_number = 0) OVER (PARTITION BY retention_id, cohort_date) AS cohort_people,
                countIf(period_number = 0) OVER (PARTITION BY retention_id) AS cohorts_count
            FROM cells
        ),
        placed AS (
            SELECT *, dense_rank() OVER (ORDER BY cohorts_count DESC, retention_id) AS place FROM counted
        )
        SELECT
            retention_id AS definition,
            cohort_date AS cohort,
            cohort_people AS people,
            period_number AS period,
            retained
        FROM placed WHERE place <= {panels:UInt16} AND is_over AND period_number > 0
        ORDER BY definition, cohort, period
        """,
        parameters={"cohorts": COHORTS, "panels": RETENTION_PANELS},
    )


def retention_by_definition(client: Client) -> pd.DataFrame:
    """Of the latest 12 cohorts, those whose period is over: the share that came back in the first three periods."""
    return client.query_df(
        _LATEST_COHORTS
        + """
        SELECT
            retention_id AS definition,
            uniqExact(tenant_id) AS tenants,
            uniqExact(cohort_date) AS cohorts,
            sumIf(users_count, period_number = 0) AS people,
            round(100 * sumIf(retained_count, period_number = 1)
                / nullIf(sumIf(users_count, period_number = 1), 0), 1) AS `period 1, %`,
            round(100 * sumIf(retained_count, period_number = 2)
                / nullIf(sumIf(users_count, period_number = 2), 0), 1) AS `period 2, %`,
            round(100 * sumIf(retained_count, period_number = 3)
                / nullIf(sumIf(users_count, period_number = 3), 0), 1) AS `period 3, %`
        FROM latest WHERE is_complete OR period_number = 0
        GROUP BY definition ORDER BY people DESC, definition LIMIT {rows:UInt16}
        """,
        parameters={"cohorts": COHORTS, "rows": TABLE_ROWS},
    )


def credit_by_channel(client: Client) -> pd.DataFrame:
    """Conversions of the latest four weeks that each model credits to each channel, all tenants together.

    Columns: model, channel, conversions (credit, so with fractions), share (of the model's conversions).
    """
    return client.query_df(
        """
        SELECT
            model, channel, sum(credit) AS conversions,
            conversions / sum(conversions) OVER (PARTITION BY model) AS share
        FROM attribution_credit
        WHERE conversion_at >= (SELECT max(last_event_date) FROM int_tenants) + 1 - {days:UInt16}
        GROUP BY model, channel ORDER BY model, conversions DESC, channel
        """,
        parameters={"days": CREDIT_DAYS},
    )


def conversions_by_tenant(client: Client) -> pd.DataFrame:
    """Conversions of the latest four weeks of the ten tenants with most, and how many of them no touch led to."""
    return client.query_df(
        """
        SELECT
            tenant_id AS tenant,
            count() AS conversions,
            uniqExact(user_id) AS people,
            countIf(session_id = '') AS `without a touch`,
            toFloat64(ifNull(sum(credited_revenue), 0)) AS revenue
        FROM attribution_credit
        WHERE
            model = 'last'
            AND conversion_at >= (SELECT max(last_event_date) FROM int_tenants) + 1 - {days:UInt16}
        GROUP BY tenant_id ORDER BY conversions DESC, tenant LIMIT {rows:UInt16}
        """,
        parameters={"days": CREDIT_DAYS, "rows": TABLE_ROWS},
    )


def ids_per_person(client: Client) -> pd.DataFrame:
    """How many people have one id, two, and so on; identified people and anonymous ones apart, all tenants together.

    Of the people whom the last build wrote: they are new, did something or have other ids. Counted from `users`, which
    has the number of ids per person. Columns: ids, identified, anonymous (people).
    """
    return client.query_df(
        """
        WITH [1, 2, 3, 4, 6, 11, 51, 1001] AS beginnings
        SELECT
            ['1', '2', '3', '4 to 5', '6 to 10', '11 to 50', '51 to 1,000', 'over 1,000'][place] AS ids,
            countIf(is_identified) AS identified,
            countIf(NOT is_identified) AS anonymous
        FROM users
        WHERE _build_seq >= (SELECT max(to_seq) FROM int_build_range)
        GROUP BY toUInt8(arrayCount(beginning -> distinct_ids_count >= beginning, beginnings)) AS place
        ORDER BY place
        """
    )


def people_by_tenant(client: Client) -> pd.DataFrame:
    """People and ids of the ten tenants with most people, of those whom the last build wrote."""
    return client.query_df(
        """
        SELECT
            tenant_id AS tenant,
            count() AS people,
            countIf(is_identified) AS identified,
            sum(distinct_ids_count) AS ids,
            countIf(distinct_ids_count > 1) AS `several ids`,
            max(distinct_ids_count) AS `most ids`
        FROM users
        WHERE _build_seq >= (SELECT max(to_seq) FROM int_build_range)
        GROUP BY tenant_id ORDER BY people DESC, tenant LIMIT {rows:UInt16}
        """,
        parameters={"rows": TABLE_ROWS},
    )
