"""Pictures of the published tables: a query per chart, and the chart that its frame becomes.

What draws takes a second to import, so it is imported when something is drawn.
"""

# The tables that have one; `pictures` says which.
PICTURED = frozenset(
    {"session_stats_daily", "funnel_conversions_daily", "retention", "attribution_credit", "identities"}
)
