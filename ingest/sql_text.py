"""The one INSERT that reads a file, for a table and a column mapping.

The rules are in sql/*.sql. What depends on the spellings (which element of a parsed row is which field) is worked
out here and put in place of the `$markers` there: positions and our own field names only. Everything that comes from
outside (names of columns, paths, tenants) travels as a query parameter.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from ingest.spellings import CLICK_IDS, EVENTS, Field, Table

SQL_FOLDER = Path(__file__).with_name("sql")

# ISO 8601 with or without zone, a space instead of the T, down to a date alone; impossible times of day are no match.
ISO_TIME = (
    "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    "([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,9})?)? ?(Z|UTC|GMT|[+-][0-9]{2}(:?[0-9]{2})?)?)?$"
)
# Unix time in seconds or milliseconds; at most 15 digits before the point, so that nothing overflows.
UNIX_TIME = "^-?[0-9]{1,15}([.][0-9]*)?$"

# Fields that are moments.
MOMENTS = ("timestamp", "received_at", "first_seen_at", "created_at")

Parameters = dict[str, str | list[str]]


@dataclass(frozen=True)
class Statement:
    """An INSERT whose data is sent along, and its parameters beside raw, load_id, path and now."""

    sql: str
    parameters: Parameters


def insert_lines(table: Table, mapping: Mapping[str, str], tenant: str) -> Statement:
    """For text in which each line is a JSON object (NDJSON)."""
    return _insert(table, mapping, tenant, _file("lines"), "LineAsString")


def insert_documents(table: Table, mapping: Mapping[str, str], tenant: str) -> Statement:
    """For JSON objects one after another or in one array, on however many lines."""
    return _insert(table, mapping, tenant, _file("documents"), "JSONAsString")


def insert_columns(
    table: Table, mapping: Mapping[str, str], tenant: str, names: Sequence[str], types: Sequence[str]
) -> Statement:
    """For an Arrow stream of the columns `line, problem, given`, then those called `names` as c0, c1, …

    `types` are their ClickHouse types; an Array holds the one value of the row, or none. A row with a `problem` is
    rejected for it, `given` being its text. A null and an empty text are absent.
    """
    source = Template(_file("columns")).substitute(
        # the columns are themselves text in SQL: quotes in a type are escaped
        columns=", ".join(f"c{i} {type_}" for i, type_ in enumerate(types)).replace("\\", "\\\\").replace("'", "\\'"),
        members=", ".join(_member(i, type_) for i, type_ in enumerate(types)),
    )
    statement = _insert(table, mapping, tenant, source, "ArrowStream")
    return Statement(statement.sql, statement.parameters | {"names": list(names)})


def _member(position: int, type_: str) -> str:
    """A column as a member of a JSON object, '' where the row has no value."""
    column = f"c{position}"
    value, is_absent = column, f"isNull({column})"
    if type_ == "String":
        is_absent = f"{column} = ''"
    elif type_.startswith("Array("):
        value, is_absent = f"{column}[1]", f"empty({column})"
    return f"if({is_absent}, '', concat(toJSONString(names[{position + 1}]), ':', toJSONString({value})))"


def _insert(table: Table, mapping: Mapping[str, str], tenant: str, source: str, data_format: str) -> Statement:
    spellings = _Spellings(table.mapped(mapping))
    moment = Template(_file("moment"))
    markers = {f"moment_of_{name}": moment.substitute(text=f"{name}_text") for name in MOMENTS}
    markers["source"] = source
    markers["fields"] = spellings.texts(spellings.fields)
    if table.name == EVENTS:
        markers |= _event_markers(spellings)
    else:
        markers["parsed_fields"] = Template(_file("parsed_fields")).substitute(markers)
    markers["unreadable"] = _file("unreadable")
    text = Template(_file(table.name)).substitute(markers)
    parameters: Parameters = {
        "outer_type": spellings.outer_type,
        "inner_type": spellings.inner_type,
        "known": list(spellings.outer),
        "known_fields": spellings.field_of_each,
        "tenant": tenant,
        "iso_time": ISO_TIME,
        "unix_time": UNIX_TIME,
    }
    used = {name: value for name, value in parameters.items() if f"{{{name}:" in text}
    return Statement(f"{text}\nFORMAT {data_format}", used)


def _file(name: str) -> str:
    text = (SQL_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.strip().startswith("--")).strip()


class _Spellings:
    """Where each spelling of each field is found in the two tuples that a row is parsed into."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields = {field.name: field for field in fields}
        self.outer = _positions("outer_fields", (name for field in fields for name in field.outer))
        self.inner = _positions("inner_fields", (name for field in fields for name in field.inner))
        self.field_of_each = [next(f.name for f in fields if name in f.outer) for name in self.outer]
        self.outer_type = _tuple_type(self.outer)
        self.inner_type = _tuple_type(self.inner)

    def first_present(self, name: str) -> str:
        """The expression for a field's text: its first spelling that is present, '' if none is."""
        field = self.fields[name]
        places = [self.outer[spelling] for spelling in field.outer] + [self.inner[s] for s in field.inner]
        expression = "{tenant:String}" if name == "tenant_id" else "''"
        for place in reversed(places):
            expression = place if expression == "''" else f"if({place} != '', {place}, {expression})"
        return expression

    def texts(self, names: Iterable[str]) -> str:
        """`… AS <field>_text` for each field."""
        return ",\n            ".join(f"{self.first_present(name)} AS {name}_text" for name in names)

    def spare_count(self) -> str:
        """A number above 0 where a row has a spare spelling: sums, since AND and OR would stop to save work at each."""
        surplus = [
            "(" + " + ".join(f"notEmpty({self.outer[spelling]})" for spelling in field.outer) + " > 1)"
            for field in self.fields.values()
            if len(field.outer) > 1
        ]
        return " + ".join(surplus)


def _event_markers(spellings: _Spellings) -> dict[str, str]:
    """The markers that only events have: the properties, the click ids and the fields that no column holds."""
    clicks = [spellings.fields[name] for name in CLICK_IDS]
    places = [spellings.outer[s] for field in clicks for s in field.outer]
    places += [spellings.inner[s] for field in clicks for s in field.inner]
    return {
        "properties": spellings.first_present("properties"),
        "fields": spellings.texts(name for name in spellings.fields if name not in (*CLICK_IDS, "properties")),
        "click_id_names": ", ".join(f"'{name}'" for name in CLICK_IDS),
        "click_id_values": ", ".join(spellings.first_present(name) for name in CLICK_IDS),
        "click_ids_length": " + ".join(f"length({place})" for place in places),
        "spare_count": spellings.spare_count(),
    }


def _positions(tuple_name: str, names: Iterable[str]) -> dict[str, str]:
    return {name: f"{tuple_name}.{i}" for i, name in enumerate(dict.fromkeys(names), start=1)}


def _tuple_type(names: Iterable[str]) -> str:
    """The type a row is parsed into: `Tuple(name String, …)`, names quoted; for a parameter, not for SQL text."""
    quoted = (name.replace("\\", "\\\\").replace("`", "\\`") for name in names)
    return "Tuple(" + ", ".join(f"`{name}` String" for name in quoted) + ")"
