"""The raw tables that files are loaded into, and the fields that a contract may say how to read."""

from dataclasses import dataclass

from warehouse.errors import UsageError

EVENTS = "events"
IDENTITY_MAPPINGS = "identity_mappings"
FUNNEL_STEPS = "funnel_steps"
RETENTION_DEFINITIONS = "retention_definitions"

# Advertisers' click ids; they end in the map click_ids, under these names.
CLICK_IDS = (
    "gclid", "gad_source", "gclsrc", "dclid", "gbraid", "wbraid", "fbclid", "msclkid", "twclid", "li_fat_id",
    "igshid", "ttclid", "rdt_cid", "epik", "qclid", "sccid", "irclid", "_kx", "mc_cid",
)  # fmt: skip

# The campaign of a link, by the names of its parameters.
UTMS = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")

# Fields in which a word that means nobody is no value.
IDS = ("distinct_id", "user_id", "anonymous_id", "previous_id", "session_id", "device_id")

# Fields that are moments, and the field that is an amount.
MOMENTS = ("timestamp", "received_at", "first_seen_at", "created_at")

# Fields that are JSON objects, put together from several if need be.
OBJECTS = ("properties", "attributes_set", "attributes_set_once")


@dataclass(frozen=True)
class Table:
    """What may be loaded into one raw table. `any_rejection_fails`: half of such a file would be wrong, not less."""

    name: str
    fields: tuple[str, ...]
    any_rejection_fails: bool = False

    def require(self, field: str, purpose: str) -> None:
        """Raises UsageError for a field that the table does not have; `purpose` says what it was wanted for."""
        if field not in self.fields:
            raise UsageError(
                f"{self.name} has no field {field!r} {purpose}.", f"Its fields are: {', '.join(sorted(self.fields))}."
            )


TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            EVENTS,
            (
                "tenant_id", "event_id", "event", "event_type", "timestamp", "received_at", "distinct_id", "user_id",
                "anonymous_id", "previous_id", "is_identified", "session_id", "device_id", "current_url", "host",
                "pathname", "referrer", "referring_domain", *UTMS, *CLICK_IDS, "browser", "os", "device_type",
                "user_agent", "timezone", "country", "city", "ip_address", "revenue", "currency", "elements_chain",
                *OBJECTS,
            ),
        ),
        Table(
            IDENTITY_MAPPINGS,
            ("tenant_id", "anonymous_id", "user_id", "kind", "first_seen_at", "created_at", "is_deleted"),
        ),
        Table(
            FUNNEL_STEPS,
            (
                "tenant_id", "funnel_id", "name", "step_number", "step_name", "event", "event_filter",
                "window_seconds", "mode", "is_deleted",
            ),
            any_rejection_fails=True,
        ),
        Table(
            RETENTION_DEFINITIONS,
            (
                "tenant_id", "retention_id", "name", "target_event", "target_filter", "return_event",
                "return_filter", "kind", "period", "is_deleted",
            ),
            any_rejection_fails=True,
        ),
    )
}  # fmt: skip


def table_named(name: str) -> Table:
    """The table of that name; `funnels` and spellings with hyphens are accepted. Raises UsageError for any other."""
    plain = name.replace("-", "_")
    found = TABLES.get(FUNNEL_STEPS if plain == "funnels" else plain)
    if found is None:
        raise UsageError(f"{name!r} is nothing one can load.", f"One can load: {', '.join(TABLES)}.")
    return found
