"""`footfall.yml` in the landing folder: what the files beside and below it are loaded with.

The one in a day's folder takes precedence over the one in the table's folder, and that over the one in the landing
folder itself, option by option and, in `map`, field by field.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ingest.tables import EVENTS, TABLES, Table
from warehouse.errors import FootfallError

OPTIONS = "footfall.yml"


class LandingOptions(BaseModel):
    """The options of `footfall load`, as a file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    tenant: str = Field("", min_length=1, description="The tenant of rows that name none.")
    map: dict[str, str] = Field(default={}, description="The files' own path of a field: field: path.")
    set: dict[str, str] = Field(default={}, description="The value of a field, whatever the files say: field: value.")
    contract: str = Field("", min_length=1, description="The contract that all rows are read by.")
    timezone: str = Field("", min_length=1, description="The zone of local times.")


class OptionsProblem(FootfallError):
    """A `footfall.yml` that cannot be used; the message names the file, the line and the key."""


def options_of(landing: Path, table: Table, day: str) -> LandingOptions:
    """The options that hold for the files of a table and a day. Raises OptionsProblem."""
    tenant, contract, timezone = "", "", ""
    mapping, constants = dict[str, str](), dict[str, str]()
    for path in paths_of(landing, table.name, day):
        options = read(path, _tables_of(landing, path))
        tenant, contract = options.tenant or tenant, options.contract or contract
        timezone = options.timezone or timezone
        mapping, constants = mapping | options.map, constants | options.set
    # The landing folder's own file is for several tables, each of which takes the fields it has.
    return LandingOptions.model_construct(
        tenant=tenant,
        contract=contract if table.name == EVENTS else "",
        timezone=timezone,
        map={field: path for field, path in mapping.items() if field in table.fields},
        set={field: value for field, value in constants.items() if field in table.fields},
    )


def paths_of(landing: Path, table: str, day: str) -> list[Path]:
    """The `footfall.yml` files that are there for a table and a day; a later one takes precedence."""
    places = (landing, landing / table, landing / table / day)
    return [place / OPTIONS for place in places if (place / OPTIONS).is_file()]


def problem_of(landing: Path, path: Path) -> OptionsProblem | None:
    """What is wrong with a `footfall.yml` of the landing folder."""
    try:
        read(path, _tables_of(landing, path))
    except OptionsProblem as problem:
        return problem
    return None


def _tables_of(landing: Path, path: Path) -> list[Table]:
    """The tables whose fields a `footfall.yml` may map."""
    name = path.relative_to(landing).parts[0]
    return [TABLES[name]] if name in TABLES else list(TABLES.values())


def read(path: Path, tables: Sequence[Table]) -> LandingOptions:
    """One `footfall.yml` whose `map` is about fields of these tables. Raises OptionsProblem."""
    try:
        text = path.read_text(encoding="utf-8")
        document = yaml.compose(text, yaml.SafeLoader)
        given = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise OptionsProblem(f"{path} cannot be read ({error}).") from None
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise OptionsProblem(f"{path}{line}: this is not YAML ({error.problem}).") from None
    if given is None:
        return LandingOptions.model_construct()
    if not isinstance(document, yaml.MappingNode):
        raise OptionsProblem(f"{path}, line 1: options are lines of the form `tenant: acme`.")
    lines = _lines(document, path)
    try:
        options = LandingOptions.model_validate(given)
    except ValidationError as error:
        raise OptionsProblem(_sentence(path, lines, error.errors()[0])) from None
    fields = {field for table in tables for field in table.fields}
    for option, purpose in (("map", "to map a column to"), ("set", "to set")):
        for field in getattr(options, option):
            if field not in fields:
                raise OptionsProblem(
                    f"{path}, line {lines[option, field]}: {' and '.join(table.name for table in tables)} have no field"
                    f" {field!r} {purpose}.",
                    f"The fields are: {', '.join(sorted(fields))}.",
                )
    if options.timezone and options.timezone not in available_timezones():
        raise OptionsProblem(f"{path}, line {lines['timezone',]}: there is no time zone {options.timezone!r}.")
    return options


def _lines(node: yaml.MappingNode, path: Path, above: tuple[str, ...] = ()) -> dict[tuple[str, ...], int]:
    """The line of each key, by the keys that lead to it; a key given twice is refused, as YAML takes the last one."""
    lines: dict[tuple[str, ...], int] = {}
    for key, value in node.value:
        name, line = (*above, str(key.value)), key.start_mark.line + 1
        if name in lines:
            raise OptionsProblem(f"{path}, line {line}: {'.'.join(name)} is given twice.")
        lines[name] = line
        if isinstance(value, yaml.MappingNode):
            lines |= _lines(value, path, name)
    return lines


def _sentence(path: Path, lines: Mapping[tuple[str, ...], int], error: Any) -> str:
    keys = tuple(str(key) for key in error["loc"] if key != "[key]")
    key = ".".join(keys)
    where = f"{path}, line {lines.get(keys, 1)}"
    if error["type"] == "extra_forbidden":
        return f"{where}: there is no option {key!r}; the options are {', '.join(LandingOptions.model_fields)}."
    if error["type"] == "string_type":
        return f"{where}: {key} is not text ({error['input']!r}); put it in quotes."
    if error["type"] == "string_too_short":
        return f"{where}: {key} is empty; write a name, or leave the line out."
    return f"{where}: {key} is not of the form `{keys[0] if keys else 'map'}: {{field: …}}`."
