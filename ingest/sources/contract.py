"""The contracts of sources, one YAML file each: the tables that are read, and the only columns that are ever selected.

A column is text unless its name says more: `…_at` a moment, `is_…` and a few others a yes or no, `…_ms` and `…_bytes` a
whole number. What a column is read from is one of three: a name, `name->>key`, or `octet_length(name)`.
"""

import re
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from warehouse.errors import FootfallError, UsageError

BUNDLED = Path(__file__).parent

Kind = Literal["text", "moment", "flag", "number", "json"]

# What is never loaded, however a contract spells it.
SECRET = re.compile(r"pass|secret|token|hash|api_?key|private|credential|cookie|authoriz", re.IGNORECASE)
_SPELLING = re.compile(
    r"(?P<name>[a-z_][a-z0-9_]*)(->>(?P<key>[A-Za-z_][A-Za-z0-9_]*))?|octet_length\((?P<sized>[a-z_][a-z0-9_]*)\)"
)
_FLAGS = {"enabled", "success", "email_verified"}


class Spelling(BaseModel):
    """What a column is read from: a column of the source, a key of one that is JSON, or its size in bytes."""

    model_config = ConfigDict(frozen=True)

    name: str
    key: str = ""
    is_size: bool = False


def spelled(text: str) -> Spelling:
    """A spelling of a contract. Raises ValueError for any other form."""
    found = _SPELLING.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is neither a name nor name->>key nor octet_length(name)")
    return Spelling(name=found["name"] or found["sized"], key=found["key"] or "", is_size=bool(found["sized"]))


def _no_secret(text: str) -> str:
    if SECRET.search(text):
        raise ValueError(f"{text!r} reads as a secret, and secrets are never loaded")
    spelled(text)
    return text


class Column(BaseModel):
    """A column: from what it is read (the first that exists wins; by default its own name), and what it is.

    `characters` is how many of its text are kept, `unit` that of a number which is to be milliseconds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    required: bool = False
    spellings: list[Annotated[str, AfterValidator(_no_secret)]] = Field([], alias="from")
    kind: Kind = "text"
    characters: int = 0
    unit: Literal["", "ns"] = ""


class SourceTable(BaseModel):
    """A table of a source. `snapshot`: all of it is read, and compared with what is known. `append`: rows never change,
    and those behind the latest `cursor` are read. With an `event` new rows become events of this name; what is appended
    is then kept as events alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    description: str
    names: list[str] = Field(min_length=1)
    mode: Literal["snapshot", "append"] = "snapshot"
    cursor: str = ""
    event: str = ""
    key: list[str] = Field(min_length=1)
    columns: dict[Annotated[str, AfterValidator(_no_secret)], Column]

    @property
    def keeps_rows(self) -> bool:
        """Whether its rows are kept as versions, in raw.source_rows."""
        return self.mode == "snapshot" or not self.event

    @model_validator(mode="after")
    def _names_its_columns(self) -> Self:
        unknown = [name for name in (*self.key, *filter(None, [self.cursor])) if name not in self.columns]
        if unknown or (self.mode == "append") != bool(self.cursor):
            raise ValueError(
                f"{self.name}: key and cursor are columns of it, and a table that is appended to has a cursor"
            )
        return self


class SourceContract(BaseModel):
    """A source: its tables by name, and which of them lists the tenants."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    description: str
    tenants: str
    tables: dict[str, SourceTable]

    def table(self, name: str) -> SourceTable:
        """The table of this name, or of one that the source may have. Raises UsageError if there is none."""
        for table in self.tables.values():
            if name in table.names:
                return table
        raise UsageError(
            f"{self.name} has no table {name!r} that is read.", f"Its tables are: {', '.join(self.tables)}."
        )


def contracts(home: Path) -> dict[str, SourceContract]:
    """All contracts by name: the bundled ones, and those in `sources/` of the home, which replace bundled ones.

    Raises FootfallError for one that cannot be used.
    """
    found = {path.stem: path for folder in (BUNDLED, home / "sources") for path in sorted(folder.glob("*.yml"))}
    return {name: _read(path) for name, path in found.items()}


def contract_named(home: Path, name: str) -> SourceContract:
    """The contract of this name. Raises UsageError if there is none."""
    known = contracts(home)
    plain = name.lower().replace("-", "_")
    if plain not in known:
        raise UsageError(f"There is no source {name!r}.", f"The sources are: {', '.join(known)}.")
    return known[plain]


@cache
def _read(path: Path) -> SourceContract:
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        for name, table in content["tables"].items():
            table["name"] = name
            for column, rule in table["columns"].items():
                rule.setdefault("kind", _kind(column))
                rule.setdefault("from", [column])
        return SourceContract(name=path.stem, **content)
    except (ValidationError, KeyError, AttributeError, TypeError) as error:
        raise FootfallError(
            f"{path} is no contract of a source: {error}", "The bundled ones in ingest/sources/ show the form."
        ) from None


def _kind(column: str) -> Kind:
    if column.endswith("_at"):
        return "moment"
    if column.startswith("is_") or column in _FLAGS:
        return "flag"
    return "number" if column.endswith(("_ms", "_bytes")) else "text"
