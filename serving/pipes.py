"""The endpoints, one YAML file each in pipes/ (they answer rows) and dashboards/ (they answer one object): parameters,
columns and the query. Adding one is adding a file.

A query names its parameters as ClickHouse does, `{name:Type}`, so no value ever becomes a piece of SQL. `$name` stands
for a fragment of fragments/*.sql, and `$order` for ASC or DESC.
"""

from functools import cache
from pathlib import Path
from string import Template
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

_FOLDER = Path(__file__).parent
_FRAGMENTS = Path(__file__).with_name("fragments")

Type = Literal["string", "integer", "number", "boolean", "from", "to", "choice"]

# What a column holds that must not leave the house: an id of a person (a tracking id takes its place), another id
# (nothing does), an address that may carry ids (without its query), or properties (those of the list are left).
Inside = Literal["person", "id", "address", "properties"]


class Parameter(BaseModel):
    """A parameter of an endpoint. `from` and `to` are moments: a day is its first, or its last."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Type = "string"
    description: str
    required: bool = False
    default: str | int | None = None
    minimum: float | None = None
    maximum: float | None = None
    choices: list[str] = []

    @property
    def clickhouse_type(self) -> str:
        """The type that the query asks for."""
        plain = {
            "string": "String", "integer": "UInt32", "number": "Float64", "boolean": "UInt8",
            "from": "DateTime64(6, 'UTC')", "to": "DateTime64(6, 'UTC')", "choice": "String",
        }[self.type]  # fmt: skip
        return plain if self.required or self.default is not None else f"Nullable({plain})"


# What every endpoint takes.
COMMON = {
    "location_id": Parameter(description="The tenant.", required=True),
    "id_type": Parameter(
        type="choice",
        choices=["user_id", "tracking_id"],
        default="user_id",
        description="tracking_id: people are asked for and answered by their tracking ids, and no other id is shown.",
    ),
}


class Pipe(BaseModel):
    """An endpoint. `one_of` are parameters of which one must be given; `person` is the placeholder of whom it is about.

    `inside` says what columns hold; such a query also has the columns `_user_id` and `_place`, which is its order.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    description: str
    parameters: dict[str, Parameter] = {}
    one_of: list[str] = []
    person: str = ""
    columns: list[str] = Field(min_length=1)
    inside: dict[str, Inside] = {}
    sql: str

    @property
    def all_parameters(self) -> dict[str, Parameter]:
        """Its own parameters behind those that every endpoint has."""
        return COMMON | self.parameters

    def query(self, *, order: str, id_type: str) -> str:
        """The query, in one order and for one kind of ids, without a FORMAT."""
        by = "tracking" if id_type == "tracking_id" else "user"
        text = Template(self.sql).substitute(
            order=order,
            person=Template(_fragment(f"person_by_{by}_id")).substitute(id=self.person),
            session_columns=_fragment("session_columns"),
            sessions_asked_for=_fragment("sessions_asked_for"),
        )
        if id_type != "tracking_id" or not self.inside:
            return f"SELECT {', '.join(self.columns)} FROM (\n{text}\n)"  # noqa: S608 - our own names
        shown = ", ".join(f"{self._masked(column)} AS {column}" for column in self.columns)
        return Template(_fragment("by_tracking_id")).substitute(answer=text, columns=shown)

    def _masked(self, column: str) -> str:
        """What is shown of a column where no internal id may be."""
        return {
            "person": "nullIf(people.tracking_id, '')",
            "id": "CAST(NULL, 'Nullable(String)')",
            "address": f"cutQueryStringAndFragment(answer.{column})",
            "properties": Template(_fragment("shown_properties")).substitute(column=f"answer.{column}"),
        }.get(self.inside.get(column, ""), f"answer.{column}")


@cache
def pipes() -> dict[str, Pipe]:
    """All endpoints that answer rows, by name."""
    return _read("pipes")


@cache
def dashboards() -> dict[str, Pipe]:
    """All endpoints that answer one object, by name; a tenant that has none of it gets no row."""
    return _read("dashboards")


def _read(folder: str) -> dict[str, Pipe]:
    paths = sorted((_FOLDER / folder).glob("*.yml"))
    return {path.stem: Pipe(name=path.stem, **yaml.safe_load(path.read_text("utf-8"))) for path in paths}


@cache
def _fragment(name: str) -> str:
    text = (_FRAGMENTS / f"{name}.sql").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--")).strip()
