"""Which ids mean nobody: the macro by which the models know, and the command that explains an id, say the same."""

from cli.identity_statements import nobodies
from tests.models.macros import load_seed, macro
from warehouse.connection import Warehouse

NOBODIES = ["", "  ", '""', "null", "NULL", " Null ", '"null"', "`undefined`", "'None'", "anonymous", "0"]
SOMEBODIES = ["ann", "null1", "no one", "00", "nu ll", '"ann"', "0x0", "anonymous-7"]


def test_the_command_that_explains_an_id_calls_those_nobody_whom_the_models_do(warehouse: Warehouse) -> None:
    ids = NOBODIES + SOMEBODIES
    database = warehouse.settings.database
    with warehouse.client() as client:
        client.command("CREATE DATABASE {db:Identifier}", parameters={"db": database})
    with warehouse.client(database) as client:
        load_seed(client, "nobody_ids", {"distinct_id": "String"})
        is_nobody = macro("is_nobody.sql", "is_nobody", "id")
        by_macro = client.query(
            f"SELECT id FROM (SELECT arrayJoin({{ids:Array(String)}}) AS id) WHERE {is_nobody}",
            parameters={"ids": ids},
        ).result_columns
    assert sorted(by_macro[0] if by_macro else []) == sorted(nobodies(warehouse, ids)) == sorted(NOBODIES)
