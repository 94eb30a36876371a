"""Contracts: what the rows of a tracker look like, as data. One YAML file per tracker, in ingest/contracts/.

A project's own lie in `contracts/` in its home; one with the name of a bundled one replaces it.
docs/event-contract.md tells people about the form.
"""

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ingest import paths
from ingest.tables import EVENTS, MOMENTS, OBJECTS, TABLES
from warehouse.errors import UsageError
from warehouse.settings import Settings

BUNDLED = Path(__file__).with_name("contracts")

# Read by this one if by no other: what rows without a tracker look like.
GENERAL = "general"

Paths = list[str]


class Constant(BaseModel):
    """A text between paths that are joined."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    constant: str


class Rule(BaseModel):
    """How one field is read. Of the ways to get a text (from, first_of, join, constant) or an object (merge, pairs,
    rest) a rule has one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    from_: Paths = Field(default=[], alias="from", description="Paths, best first; the first that is present is taken.")
    first_of: "list[Rule]" = Field(default=[], description="Several ways to read it, best first.")
    join: list[str | Constant] = Field(
        default=[],
        description="Paths, and constants between them, that are one text; absent unless all are present.",
    )
    with_: str = Field(default="", alias="with", description="What stands between the values that are joined.")
    merge: Paths = Field(default=[], description="Paths to JSON objects that are put together; the first one wins.")
    pairs: Paths = Field(default=[], description="Paths to lists of key and value, put in as well.")
    rest: bool = Field(default=False, description="Put in what no path mentions of the row itself.")
    but: list[str] = Field(default=[], description="How names of an object begin that are left out of it.")
    constant: str | None = Field(default=None, description="The value, whatever the row says.")
    default: str = Field(default="", description="The value where nothing is present.")
    unit: Literal["s", "ms", "us", "ns", ""] = Field(default="", description="Of a time that is a number.")
    local: bool = Field(default=False, description="Of a time that is a number: it counts local time.")
    words: dict[str, str] = Field(default={}, description="Other words for certain values.")
    without: str = Field(default="", description="What is taken off the beginning of a value.")
    where: dict[str, list[str]] = Field(
        default={}, description="Paths and values: read only in rows in which each path has one of its values."
    )
    per_visitor: Literal[True, False, "if_time"] = Field(
        default=False,
        description="A session id that only one visitor's sessions differ by; if_time: if it looks like a Unix time.",
    )

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, given: Any) -> Any:
        """A path or a list of paths is short for `from`, a list with other ways in it for `first_of`; one path will do
        where several may stand.
        """
        if isinstance(given, list) and any(isinstance(one, Mapping | Rule) for one in given):
            given = {"first_of": given}
        if isinstance(given, str | list):
            given = {"from": given}
        if isinstance(given, Mapping):
            listed = ("from", "join", "merge", "pairs")
            given = {k: [v] if k in listed and isinstance(v, str) else v for k, v in given.items()}
            if isinstance(given.get("where"), Mapping):
                where = {path: [v] if isinstance(v, str) else v for path, v in given["where"].items()}
                given = given | {"where": where}
        return given

    @model_validator(mode="after")
    def _one_way(self) -> "Rule":
        ways = [self.from_, self.first_of, self.join, self.is_object, self.constant is not None]
        if sum(map(bool, ways)) != 1:
            raise ValueError("a field needs exactly one of: a path, join, constant, or of merge, pairs and rest")
        if any(one.is_object or one.local or one.unit or one.per_visitor for one in self.first_of):
            raise ValueError("of several ways, each has a path, join or constant, words, where and without")
        for path in (*self.texts, *self.where):
            paths.parsed(path)
        return self

    @property
    def is_object(self) -> bool:
        """Whether it is a JSON object that is put together."""
        return bool(self.merge or self.pairs or self.rest)

    @property
    def texts(self) -> list[str]:
        """Every path that the rule reads, as it is written, best first."""
        joined = [one for one in self.join if isinstance(one, str)]
        return [*self.from_, *(text for one in self.first_of for text in one.texts), *joined, *self.merge, *self.pairs]

    @property
    def all_paths(self) -> list[paths.Path]:
        """Every path that the rule reads, best first."""
        return [paths.parsed(text) for text in self.texts]

    @property
    def conditions(self) -> list[paths.Path]:
        """Every path that says whether the rule is for a row."""
        inner = [path for one in self.first_of for path in one.conditions]
        return [*(paths.parsed(text) for text in self.where), *inner]


class Contract(BaseModel):
    """What the rows of one tracker look like."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="The name of the file.")
    table: str = Field(default=EVENTS, description="The raw table that such rows are for.")
    title: str = Field(description="What it is, in a line.")
    documentation: str = Field(default="", description="Where the tracker's format is published.")
    recognised_by: list[list[str]] = Field(
        default=[], description="A row is of this tracker if it has all paths of one of these lists."
    )
    each: str = Field(default="", description="A list in the row whose elements are events of their own.")
    columns: list[str] = Field(default=[], description="Of files without a header: the names of their columns.")
    timezone: str = Field(default="UTC", description="Of times that name no zone.")
    is_own: bool = Field(default=False, exclude=True, description="Whether it is the project's, not a bundled one.")
    fields: dict[str, Rule]

    @model_validator(mode="after")
    def _fits_the_table(self) -> "Contract":
        if self.table not in TABLES:
            raise ValueError(f"there is no table {self.table}")
        known = TABLES[self.table].fields
        for field, rule in self.fields.items():
            if field not in known:
                raise ValueError(f"{self.table} has no field {field}; its fields are {', '.join(known)}")
            if rule.is_object and field not in OBJECTS:
                raise ValueError(f"{field} is no JSON object: merge, pairs and rest are for {', '.join(OBJECTS)}")
            if (rule.unit or rule.local) and field not in MOMENTS:
                raise ValueError(f"{field} is no time: unit and local are for {', '.join(MOMENTS)}")
            if rule.per_visitor and field != "session_id":
                raise ValueError(f"{field} is no session id: per_visitor is for session_id")
        for signature in self.recognised_by:
            for text in signature:
                if any(isinstance(step, paths.Named) for step in paths.parsed(text)):
                    raise ValueError(f"a row is recognised by names and places, not by {text}")
        return self


class Signature(NamedTuple):
    """Paths that a row has whose tracker has this contract."""

    paths: list[str]
    contract: Contract

    def is_of(self, row: Any) -> bool:
        """Whether a row, parsed from JSON, has all of them."""
        return all(paths.is_present(row, paths.parsed(text)) for text in self.paths)

    def is_among(self, columns: Collection[str]) -> bool:
        """Whether a file with these columns has all of them; what lies inside a column does not tell."""
        return all(len(path) == 1 and path[0] in columns for path in map(paths.parsed, self.paths))


def signatures(contracts: Iterable[Contract]) -> list[Signature]:
    """What rows are recognised by, in the order that it is tried: a project's own first, then what asks for most."""
    found = [Signature(one, contract) for contract in contracts for one in contract.recognised_by]
    return sorted(found, key=lambda signature: (not signature.contract.is_own, -len(signature.paths)))


def contracts(settings: Settings, table: str = EVENTS) -> list[Contract]:
    """The contracts of a table: the project's own first, then the bundled ones, sorted by name, those that
    recognise no rows last.

    Raises UsageError for a file that cannot be used.
    """
    own = {name: c.model_copy(update={"is_own": True}) for name, c in _read_all(settings.home / "contracts").items()}
    bundled = {name: contract for name, contract in _bundled().items() if name not in own}
    found = [c for c in (*own.values(), *bundled.values()) if c.table == table]
    return sorted(found, key=lambda contract: not contract.recognised_by)


def named(settings: Settings, table: str, name: str) -> Contract:
    """The contract of a table with this name; without a name the general one. Raises UsageError if there is none."""
    found = contracts(settings, table)
    wanted = name or (GENERAL if table == EVENTS else table)
    for contract in found:
        if contract.name == wanted:
            return contract
    raise UsageError(f"There is no contract {name!r} for {table}.", f"There are: {', '.join(c.name for c in found)}.")


@cache
def _bundled() -> dict[str, Contract]:
    return _read_all(BUNDLED)


def _read_all(folder: Path) -> dict[str, Contract]:
    files = sorted(folder.glob("*.yml")) if folder.is_dir() else []
    return {file.stem: read(file) for file in files}


def read(path: Path) -> Contract:
    """One contract. Raises UsageError with the file and what is wrong with it."""
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read ({error}).") from None
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UsageError(f"{path}{line}: this is not YAML ({error.problem}).") from None
    if not isinstance(given, dict):
        raise UsageError(f"{path}: a contract has at least a title and fields.")
    try:
        return Contract.model_validate({"name": path.stem} | given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(key) for key in first["loc"])
        problem = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"{path}: {f'{where}: ' if where else ''}{problem}.") from None
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", error.next_step) from None


def changed(contract: Contract, mapping: Mapping[str, str], constants: Mapping[str, str], timezone: str) -> Contract:
    """The contract with a user's own options: `--map field=path`, `--set field=value`, `--timezone Z`.

    A mapped path comes before the usual ones; a name with dots in it may also be the name of one column. A path that
    is mapped to one id (distinct_id, user_id, anonymous_id) is none of the others any more. Raises UsageError for a
    field that the table does not have and a text that is no path.
    """
    table = TABLES[contract.table]
    rules = dict(contract.fields)
    for field, text in mapping.items():
        table.require(field, "to map a column to")
        rules[field] = _mapped(rules.get(field), text)
    roles = ("distinct_id", "user_id", "anonymous_id")
    for field in roles:
        taken = {mapping[other] for other in roles if other != field and other in mapping}
        if taken and field in rules and field not in mapping:
            rest = [path for path in rules[field].from_ if path not in taken]
            if rest:
                rules[field] = rules[field].model_copy(update={"from_": rest})
            elif rules[field].from_:
                del rules[field]
    if "properties" in mapping:
        rules = {field: _inside(rule, mapping["properties"]) for field, rule in rules.items()}
    for field, value in constants.items():
        table.require(field, "to set")
        rules[field] = Rule(constant=value)
    return contract.model_copy(update={"fields": rules, "timezone": timezone or contract.timezone})


def _inside(rule: Rule, properties: str) -> Rule:
    """The rule that looks for what stands inside the properties where the user says that these are."""
    moved = {
        name: [
            path
            for text in getattr(rule, name)
            for path in (
                [f"{properties}.{text.removeprefix('properties.')}", text] if text.startswith("properties.") else [text]
            )
        ]
        for name in ("from_", "merge")
    }
    return rule.model_copy(update=moved)


def _mapped(rule: Rule | None, text: str) -> Rule:
    """The rule with this path before its own."""
    own = [paths.text_of(path) for path in paths.alternatives(text)]
    if rule is None or rule.join or rule.constant is not None:
        return Rule.model_validate(own)
    if rule.first_of:
        return rule.model_copy(update={"first_of": [Rule.model_validate(own), *rule.first_of]})
    if rule.is_object:
        return Rule.model_validate({"merge": own})
    return rule.model_copy(update={"from_": own + [path for path in rule.from_ if path not in own]})


def meaning(contract: Contract) -> str:
    """What reading by a contract depends on, as one text: two contracts with the same read alike."""
    return orjson.dumps(contract.model_dump(exclude={"title", "documentation"}), option=orjson.OPT_SORT_KEYS).decode()
