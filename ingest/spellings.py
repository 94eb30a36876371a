"""What the fields of each table are called in the files we accept.

A field takes the first spelling that is present. `outer` are names of the row itself, `inner` names inside the row's
`properties`. Everything here is data: sql_text.py turns it into SQL, docs/event-contract.md tells people about it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

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

# Fields that say which id an event goes by: a column mapped to one of them loses its role as another of them.
_ROLES = {"distinct_id", "user_id", "anonymous_id"}


@dataclass(frozen=True)
class Field:
    """One field of a table: its name, and the spellings it is read from, in order of preference."""

    name: str
    outer: tuple[str, ...]
    inner: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """What may be loaded into one raw table. `any_rejection_fails`: half of such a file would be wrong, not less."""

    name: str
    fields: tuple[Field, ...]
    any_rejection_fails: bool = False

    def mapped(self, mapping: Mapping[str, str]) -> tuple[Field, ...]:
        """The fields with a user's own column names (`--map field=column`) put before the usual spellings.

        A column `properties.x` means the property x. Raises UsageError for a field the table does not have.
        """
        known = {field.name for field in self.fields}
        for name in mapping:
            if name not in known:
                raise UsageError(
                    f"{self.name} has no field {name!r} to map a column to.",
                    f"Its fields are: {', '.join(sorted(known))}.",
                )
        return tuple(self._mapped_field(field, mapping) for field in self.fields)

    @staticmethod
    def _mapped_field(field: Field, mapping: Mapping[str, str]) -> Field:
        column = mapping.get(field.name)
        outer = field.outer
        if field.name in _ROLES:
            taken = {mapping[role] for role in _ROLES - {field.name} if role in mapping}
            outer = tuple(name for name in outer if name not in taken)
        if column is None:
            return replace(field, outer=outer)
        inside = column.removeprefix("properties.")
        if inside != column:
            return replace(field, outer=outer, inner=(inside, *(name for name in field.inner if name != inside)))
        return replace(field, outer=(column, *(name for name in outer if name != column)))


def _context(name: str, *more: str) -> Field:
    """A field of the page, device or campaign: `x`, or PostHog's spelling `$x`, of the row or of its properties."""
    return Field(name, (name, f"${name}"), (f"${name}", name, *more))


def _campaign(name: str) -> Field:
    """A field of the campaign: `x`, of the row or of its properties; in the latter `$x` as well."""
    return Field(name, (name,), (name, f"${name}"))


TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            EVENTS,
            (
                Field("tenant_id", ("tenant_id", "location_id", "project_id", "organization_id")),
                Field("event_id", ("uuid", "event_id", "messageId")),
                Field("event", ("event", "event_name")),
                Field("event_type", ("event_type",)),
                Field("timestamp", ("timestamp",)),
                Field("received_at", ("received_at",)),
                Field("distinct_id", ("distinct_id",)),
                Field("user_id", ("user_id",)),
                Field("anonymous_id", ("anonymous_id",)),
                Field("properties", ("properties",)),
                _context("is_identified"),
                _context("session_id"),
                _context("device_id"),
                _context("current_url"),
                _context("host"),
                _context("pathname"),
                _context("referrer"),
                _context("referring_domain"),
                _campaign("utm_source"),
                _campaign("utm_medium"),
                _campaign("utm_campaign"),
                _campaign("utm_term"),
                _campaign("utm_content"),
                _context("browser"),
                _context("os"),
                _context("device_type"),
                _context("user_agent", "$raw_user_agent"),
                _context("timezone", "$geoip_time_zone"),
                _context("country", "$geoip_country_code", "$geoip_country_name"),
                _context("city", "$geoip_city_name"),
                _context("ip_address", "$ip", "ip"),
                _context("revenue"),
                _context("currency"),
                _context("elements_chain"),
                *(Field(name, (name,), (name,)) for name in CLICK_IDS),
            ),
        ),
        Table(
            IDENTITY_MAPPINGS,
            (
                Field("tenant_id", ("tenant_id", "location_id", "project_id", "organization_id")),
                Field(
                    "anonymous_id",
                    ("anonymous_id", "anon_id", "anon_distinct_id", "device_id", "alias", "previous_id"),
                ),
                Field("user_id", ("user_id", "distinct_id", "identified_id")),
                Field("kind", ("kind",)),
                Field("first_seen_at", ("first_seen", "first_seen_at")),
                Field("created_at", ("created_at", "timestamp")),
                Field("is_deleted", ("is_deleted",)),
            ),
        ),
        Table(
            FUNNEL_STEPS,
            (
                Field("tenant_id", ("tenant_id", "location_id", "project_id", "organization_id")),
                Field("funnel_id", ("funnel_id",)),
                Field("name", ("name",)),
                Field("step_number", ("step_number",)),
                Field("step_name", ("step_name",)),
                Field("event", ("event",)),
                Field("event_filter", ("event_filter",)),
                Field("window_seconds", ("window_seconds",)),
                Field("mode", ("mode",)),
                Field("is_deleted", ("is_deleted",)),
            ),
            any_rejection_fails=True,
        ),
        Table(
            RETENTION_DEFINITIONS,
            (
                Field("tenant_id", ("tenant_id", "location_id", "project_id", "organization_id")),
                Field("retention_id", ("retention_id",)),
                Field("name", ("name",)),
                Field("target_event", ("target_event",)),
                Field("target_filter", ("target_filter",)),
                Field("return_event", ("return_event",)),
                Field("return_filter", ("return_filter",)),
                Field("kind", ("kind",)),
                Field("period", ("period",)),
                Field("is_deleted", ("is_deleted",)),
            ),
            any_rejection_fails=True,
        ),
    )
}


def table_named(name: str) -> Table:
    """The table of that name; `funnels` and spellings with hyphens are accepted. Raises UsageError for any other."""
    plain = name.replace("-", "_")
    found = TABLES.get(FUNNEL_STEPS if plain == "funnels" else plain)
    if found is None:
        raise UsageError(f"{name!r} is nothing one can load.", f"One can load: {', '.join(TABLES)}.")
    return found
