"""`footfall queries`: what a synced product's people saved, and whether it can be answered."""

import asyncio

from cli.console import out, print_table
from serving.answers import Answers, NotAnswered
from serving.queries import NoQuery, compiled
from serving.refusals import Refused
from serving.saved import query_named
from warehouse import service_users
from warehouse.connection import connect
from warehouse.errors import FootfallError
from warehouse.settings import get_settings

_SAVED = "SELECT tenant_id, query_id, name, query_type, query_params FROM saved_queries ORDER BY tenant_id, query_id"


def run_list(tenant: str) -> None:
    """Print the saved queries, and of those that cannot be answered why. Raises FootfallError if there are such."""
    with connect(get_settings()) as warehouse:
        if not warehouse.has_table(warehouse.settings.database, "saved_queries"):
            raise FootfallError("Nothing is published yet.", "footfall build builds what is loaded.")
        with warehouse.client(warehouse.settings.database) as client:
            saved = [row for row in client.query(_SAVED).result_rows if not tenant or row[0] == tenant]
    rows, problems = [], 0
    for of_tenant, query_id, name, query_type, params in saved:
        try:
            compiled(of_tenant, query_type, params)
            state = "can be answered"
        except NoQuery as problem:
            state, problems = str(problem), problems + 1
        rows.append([of_tenant, query_id, name, state])
    if not rows:
        out().print("No query was saved in a source that was synced.")
        return
    print_table(["tenant", "id", "name", "state"], rows)
    if problems:
        raise FootfallError(f"{problems} saved quer{'y' if problems == 1 else 'ies'} cannot be answered.")


def run_query(tenant: str, query_id: str) -> None:
    """Print the rows of a saved query, as the HTTP service answers it. Raises FootfallError if it cannot be."""
    with connect(get_settings()) as warehouse:
        answers = Answers(service_users.reader(warehouse))

        async def asked() -> tuple[list[str], list[list[str]]]:
            try:
                content = await query_named(answers, tenant, query_id, await answers.published())
            finally:
                await answers.close()
            columns = content["columns"]
            return columns, [
                ["" if row[name] is None else str(row[name]) for name in columns] for row in content["data"]
            ]

        try:
            columns, rows = asyncio.run(asked())
        except (Refused, NotAnswered) as error:
            raise FootfallError(str(error)) from None
    print_table(columns, rows)
