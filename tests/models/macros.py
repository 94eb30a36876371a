"""The project's SQL macros, rendered without dbt: what a rule says can be asked of the warehouse in milliseconds."""

import csv
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client
from jinja2 import Environment, FileSystemLoader

PROJECT = Path(__file__).parents[2] / "dbt_project"


def macro(file: str, name: str, *arguments: Any, **variables: Any) -> str:
    """The SQL that the macro `name` of macros/`file` makes; `ref('x')` and `source('raw', 'x')` are x, `var('x')` is
    variables['x'].
    """
    environment = Environment(loader=FileSystemLoader(PROJECT / "macros"), extensions=["jinja2.ext.do"])
    names = {
        "ref": lambda model: model,
        "source": lambda _, table: table,
        "var": lambda key, default=None: variables.get(key, default),
    }
    module = environment.get_template(file, globals=names).make_module()
    return str(getattr(module, name)(*arguments))


def load_seed(client: Client, name: str, types: dict[str, str]) -> None:
    """The seed as a table of the client's default database."""
    columns = ", ".join(f"`{column}` {type_}" for column, type_ in types.items())
    client.command(f"create table {name} ({columns}) engine = MergeTree order by tuple()")
    (path,) = (PROJECT / "seeds").rglob(f"{name}.csv")
    with path.open(newline="") as file:
        rows = [
            [int(row[c]) if t.startswith("UInt") else row[c] for c, t in types.items()] for row in csv.DictReader(file)
        ]
    client.insert(name, rows, column_names=list(types))
