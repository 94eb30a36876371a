"""What the demo shows at its end: a small report, every figure of it one query on the published tables."""

from clickhouse_connect.driver.client import Client
from rich.console import Console, Group
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from cli.console import out
from warehouse.connection import Warehouse

_BAR = 32
# The source of the sample's MCP servers (sample/assistant.py).
_ASSISTANT = "juniper_assistant"
_SHADES = ("grey23", "dark_green", "green4", "green3", "spring_green2")


def print_summary(warehouse: Warehouse, stages: dict[str, float], seconds: float) -> None:
    """Print the report; `stages` are the seconds each stage took, in the order they ran."""
    console = out()
    with warehouse.client(warehouse.settings.database) as client:
        console.print()
        console.print(Rule("Juniper & Rye: four shops, thirty days", style="bold"))
        for part in (_shops, _identity, _funnel, _retention, _channels, _assistant):
            console.print()
            part(console, client)
        console.print()
        console.print(_stages(stages, seconds))
        console.print(_next(warehouse))


def _shops(console: Console, client: Client) -> None:
    rows = client.query(
        """
        SELECT tenant_id, sum(events_count), count(), countIf(is_identified), sum(sessions_count), sum(lifetime_value)
        FROM users
        WHERE tenant_id NOT IN (SELECT tenant_id FROM tenants WHERE kind = 'organization')
        GROUP BY tenant_id ORDER BY tenant_id
        """
    ).result_rows
    table = _table("People and sessions", ("Shop", "Events", "People", "known by name", "Sessions", "Revenue"))
    for tenant, *counts, revenue in rows:
        table.add_row(tenant, *(f"{count:,}" for count in counts), f"{revenue or 0:,.2f}")
    totals = [sum(row[column] or 0 for row in rows) for column in range(1, 6)]
    table.add_section()
    table.add_row("all", *(f"{total:,}" for total in totals[:4]), f"{totals[4]:,.2f}", style="bold")
    console.print(table)


def _identity(console: Console, client: Client) -> None:
    ids, people, stitched, most = client.query(
        """
        SELECT sum(ids), count(), countIf(ids > 1), max(ids)
        FROM (SELECT tenant_id, user_id, count() AS ids FROM identities GROUP BY tenant_id, user_id)
        """
    ).first_row
    (conflicts,) = client.query("SELECT count() FROM identity_conflicts").first_row
    text = Text.assemble(
        ("Identity stitching\n", "bold"),
        (f"{ids:,}", "bold cyan"),
        " ids of browsers, apps and accounts  →  ",
        (f"{people:,}", "bold cyan"),
        " people\n",
        f"{stitched:,} people came under more than one id, one of them under {most}; ",
        f"{conflicts:,} logins on shared devices were kept from merging two people.",
    )
    console.print(text)


def _funnel(console: Console, client: Client) -> None:
    funnels = client.query(
        """
        SELECT funnel_id, max(step_number) AS steps, uniqExact(tenant_id, user_id) AS people
        FROM funnel_events GROUP BY funnel_id ORDER BY steps DESC, people DESC, funnel_id LIMIT 1
        """
    ).result_rows
    if not funnels:
        return
    steps = client.query(
        """
        SELECT
            step_number, any(step_name), (SELECT any(name) FROM funnel_steps WHERE funnel_id = {funnel:String}),
            any(people)
        FROM funnel_conversions_daily
        LEFT JOIN
        (
            SELECT funnel_id, step_number, uniqExact(tenant_id, user_id) AS people
            FROM funnel_events GROUP BY funnel_id, step_number
        ) AS reached USING (funnel_id, step_number)
        WHERE funnel_id = {funnel:String}
        GROUP BY step_number ORDER BY step_number
        """,
        parameters={"funnel": funnels[0][0]},
    ).result_rows
    table = Table(box=None, show_header=False, pad_edge=False, title=f"Funnel: {steps[0][2]}", title_style="bold")
    table.title_justify = "left"
    first = steps[0][3] or 1
    for _, step_name, _, people in steps:
        table.add_row(step_name, _bar(people / first, "cyan"), f"{people:,}", f"{people / first:.0%}")
    console.print(table)


def _retention(console: Console, client: Client) -> None:
    rows = client.query(
        """
        SELECT cohort_date, period_number, sum(users_count), sum(retained_count)
        FROM retention WHERE retention_id = 'weekly'
        GROUP BY cohort_date, period_number ORDER BY cohort_date, period_number
        """
    ).result_rows
    periods = sorted({period for _, period, _, _ in rows})
    table = _table("Retention by week of the first visit", ("Week of", "People", *(f"week {n}" for n in periods)))
    for cohort in sorted({cohort for cohort, _, _, _ in rows}):
        cells = {period: (users, retained) for date, period, users, retained in rows if date == cohort}
        users = next(iter(cells.values()))[0]
        if users:
            shares = (_share(*cells[period]) if period in cells else Text("") for period in periods)
            table.add_row(f"{cohort:%d %b}", f"{users:,}", *shares)
    console.print(table)


def _channels(console: Console, client: Client) -> None:
    rows = client.query(
        """
        SELECT channel, count() AS sessions, sum(revenue)
        FROM sessions GROUP BY channel ORDER BY sessions DESC, channel LIMIT 8
        """
    ).result_rows
    table = _table("Top channels", ("Channel", "", "Sessions", "Revenue"))
    table.columns[1].justify = "left"
    most = max((sessions for _, sessions, _ in rows), default=1)
    for channel, sessions, revenue in rows:
        table.add_row(channel, _bar(sessions / most, "magenta"), f"{sessions:,}", f"{revenue or 0:,.2f}")
    console.print(table)


def _assistant(console: Console, client: Client) -> None:
    """What staff ask the shops' own MCP servers; out of exported tables of its database."""
    rows = client.query(
        """
        SELECT
            any(tenants.name), tools.tool_name, sum(calls_count),
            sum(succeeded_count) / sum(succeeded_count + failed_count)
        FROM mcp_tools AS tools
        INNER JOIN (SELECT tenant_id, name, source FROM tenants WHERE source = {source:String}) AS tenants
            ON tools.tenant_id = tenants.tenant_id
        GROUP BY tools.tool_name ORDER BY 3 DESC, 2
        """,
        parameters={"source": _ASSISTANT},
    ).result_rows
    if not rows:
        return
    table = _table(f"Tools of {rows[0][0]}'s assistant", ("Tool", "", "Calls", "Succeeded"))
    table.columns[1].justify = "left"
    for _, tool, calls, share in rows:
        table.add_row(tool, _bar(calls / rows[0][2], "yellow"), f"{calls:,}", f"{share:.1%}")
    console.print(table)
    months = client.query(
        """
        SELECT formatDateTime(month, '%M'), active_users_count, calls_count, total_revenue, currency
        FROM mcp_billing_months
        WHERE tenant_id IN (SELECT tenant_id FROM tenants WHERE source = {source:String})
        ORDER BY month DESC LIMIT 1
        """,
        parameters={"source": _ASSISTANT},
    ).result_rows
    at_risk, lapsed = client.query(
        """
        SELECT countIf(is_at_risk), countIf(is_lapsed)
        FROM user_engagement
        WHERE tenant_id IN (SELECT tenant_id FROM tenants WHERE source = {source:String})
        """,
        parameters={"source": _ASSISTANT},
    ).first_row
    for month, people, calls, total, currency in months:
        console.print(
            Text.assemble(
                f"{month}: ", (f"{total:,.2f} {currency}", "bold cyan"),
                f" for {people:,} people and {calls:,} calls; ",
                (f"{at_risk:,}", "bold cyan"), f" people at risk (away for more than a week), {lapsed:,} lapsed.",
            )
        )  # fmt: skip


def _stages(stages: dict[str, float], seconds: float) -> Table:
    table = _table("Time per stage", ("Stage", "Seconds"))
    for stage, took in stages.items():
        table.add_row(stage, f"{took:.1f}")
    table.add_section()
    table.add_row("all", f"{seconds:.1f}", style="bold")
    return table


def _next(warehouse: Warehouse) -> Panel:
    commands = (
        ("footfall status", "what is loaded, built and waiting"),
        ('footfall sql "SELECT * FROM session_stats_daily LIMIT 5"', "any SQL on the published tables"),
        ("footfall load events your_events.ndjson --tenant you", "your own events (NDJSON, CSV, Parquet …)"),
        ("footfall build", "then build, check and publish them"),
        ("footfall up", "the warehouse and the Dagster UI, until Ctrl-C"),
    )
    grid = Table.grid(padding=(0, 3))
    for command, meaning in commands:
        grid.add_row(Text(command, style="cyan"), meaning)
    home = Text(f"Everything is in {warehouse.settings.home}; the command is .venv/bin/footfall.", style="dim")
    return Panel(Group(grid, Text(""), home), title="Next", title_align="left", expand=False)


def _table(title: str, columns: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False, title=title, title_style="bold", title_justify="left", header_style="dim")
    for position, column in enumerate(columns):
        table.add_column(column, justify="left" if position == 0 else "right")
    return table


def _bar(share: float, style: str) -> Text:
    filled = round(share * _BAR)
    return Text("█" * filled, style=style) + Text("░" * (_BAR - filled), style="grey37")


def _share(users: int, retained: int) -> Text:
    share = retained / users if users else 0.0
    shade = _SHADES[min(int(share * len(_SHADES)), len(_SHADES) - 1)]
    return Text(f" {share:4.0%} ", style=f"white on {shade}")
