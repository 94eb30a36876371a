"""Which contracts the rows of a file are read by: the one that the user names, else what each row looks like."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import available_timezones

import orjson

from ingest import contract as contracts_of
from ingest import narrowing, paths
from ingest.contract import Contract
from ingest.reading import Reading
from ingest.tables import Table
from warehouse.errors import UsageError
from warehouse.settings import Settings

# No more rows of a file's beginning are looked at to tell whose they are; the others tell when they are read.
_LOOKED_AT = 1000


@dataclass(frozen=True)
class Options:
    """What a user says about files: see `footfall load --help`. `contract` is a name, '' to recognise rows."""

    tenant: str = ""
    mapping: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    contract: str = ""
    timezone: str = ""

    def require(self, settings: Settings, table: Table) -> None:
        """Raises UsageError for a field, a path, a contract or a time zone that is not there."""
        if self.timezone and self.timezone not in available_timezones():
            raise UsageError(f"There is no time zone {self.timezone!r}.", "Give a name such as Europe/Berlin or UTC.")
        recognition = Recognition(settings, table, self)
        recognition.reading(recognition.general)

    def text(self, columns: Sequence[str] = ()) -> str:
        """The options, and the names of a file's columns, as JSON for the ledger."""
        given = {
            "tenant": self.tenant,
            "map": dict(self.mapping),
            "set": dict(self.constants),
            "from": self.contract,
            "timezone": self.timezone,
            "columns": list(columns),
        }
        return orjson.dumps({name: value for name, value in given.items() if value}).decode()


def options_of(text: str) -> tuple[Options, list[str]]:
    """The options and the column names of a load, from the ledger."""
    given = orjson.loads(text)
    options = Options(
        given.get("tenant", ""), given.get("map", {}), given.get("set", {}), given.get("from", ""),
        given.get("timezone", ""),
    )  # fmt: skip
    return options, given.get("columns", [])


class Recognition:
    """The contracts that the rows of one file may be of, changed by the user's options.

    `columns` are the names of the columns of a file that has some: they tell for all rows of the file.
    Raises UsageError for options that do not fit the table, and for a contract that is not there or not usable.
    """

    def __init__(self, settings: Settings, table: Table, options: Options, columns: Sequence[str] = ()) -> None:
        self.columns = tuple(columns)
        self.options = options
        found = contracts_of.contracts(settings, table.name)
        general = contracts_of.named(settings, table.name, "")
        self._recognised: list[Contract] = []
        self._all = found
        if options.contract:
            self._candidates = [contracts_of.named(settings, table.name, options.contract)]
            self._all = self._candidates
        elif columns:
            fitting = (one.contract for one in contracts_of.signatures(found) if one.is_among(columns))
            self._candidates = [next(fitting, general)]
        else:
            self._recognised = [c for c in found if c.recognised_by]
            self._candidates = [*self._recognised, general]

    @property
    def general(self) -> str:
        """The name of the contract for rows that no other one recognises, or of the only one."""
        return self._candidates[-1].name

    @property
    def known(self) -> set[str]:
        """The names of all contracts that rows may be of."""
        return {contract.name for contract in self._candidates}

    def best(self, rows: Sequence[Any]) -> str:
        """The contract that most of these rows, parsed from JSON, are of."""
        names = Counter(self.of_row(row) for row in rows[:_LOOKED_AT])
        return names.most_common(1)[0][0] if names else self.general

    def of_row(self, row: Any) -> str:
        """The contract of a row, parsed from JSON."""
        return next((s.contract.name for s in contracts_of.signatures(self._recognised) if s.is_of(row)), self.general)

    def named(self, tracker: str) -> str:
        """The contract that a row is read by whose tracker the warehouse found: '' if it found none."""
        return tracker or self.general

    def reading(self, name: str, seen: frozenset[str] | None = None) -> Reading:
        """How rows of this contract are read; with `seen` those that have no names but these."""
        found = next((c for c in self._candidates if c.name == name), self._candidates[-1])
        mapped = tuple(self.options.mapping.values())
        reading = Reading(
            self._changed(found),
            tuple(self._recognised),
            mapped,
            self.options.tenant,
            own_tracker="" if name == self.general else name,
        )
        if seen is None:
            return reading
        names = seen.union(*(narrowing.names_of(path) for text in mapped for path in paths.alternatives(text)))
        return replace(
            reading,
            contract=narrowing.narrowed(reading.contract, names),
            whole=reading.contract,
            recognised=tuple(narrowing.narrowed(contract, names) for contract in reading.recognised),
            left=narrowing.pattern(reading.all_paths, names),
        )

    def hash(self, names: Sequence[str]) -> str:
        """What a load depends on whose rows were read by these contracts, as one hash."""
        parts = [self.reading(name).hash if name in self.known else "gone" for name in sorted(names)]
        return hashlib.sha256(orjson.dumps(parts)).hexdigest()

    def columns_without_header(self, first_row: Sequence[str]) -> list[str]:
        """The columns of a file whose first row is data, by a contract that has as many; none if it is a header."""
        if self._known_names_of(self._all).intersection(first_row):
            return []
        fitting = [c.columns for c in self._all if len(c.columns) == len(first_row)]
        return fitting[0] if fitting else []

    def has_column(self, path: str) -> bool:
        """Whether a user's path begins with the name of a column of the file, or is one."""
        return any(str(way[0]) in self.columns for way in paths.alternatives(path))

    @property
    def known_names(self) -> set[str]:
        """What paths begin with."""
        return self._known_names_of(self._candidates)

    def _known_names_of(self, contracts: Sequence[Contract]) -> set[str]:
        readings = [self._changed(c) for c in contracts]
        return {str(path[0]) for c in readings for rule in c.fields.values() for path in rule.all_paths}

    def _changed(self, contract: Contract) -> Contract:
        options = self.options
        return contracts_of.changed(contract, options.mapping, options.constants, options.timezone)
