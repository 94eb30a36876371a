"""A table that a build publishes for the first time is seen by an analyst of one tenant, and never unfiltered."""

import threading
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Footfall
from tests.orchestration.conftest import commit_load
from warehouse import access, access_sql
from warehouse.connection import Warehouse

NEW = "select tenant_id, user_id from {{ ref('people') }} union all select 'south', 'ada-of-the-south'"


@pytest.mark.timeout(200)
def test_a_table_that_is_new_is_seen_after_the_build_and_never_without_its_policy(
    warehouse: Warehouse, project: Path, footfall: Footfall
) -> None:
    commit_load(warehouse, 1, "ada")
    assert footfall("build").returncode == 0
    added = footfall("access", "user", "add", "lia", "--tenant", "north")
    assert added.returncode == 0, added.stderr
    warehouse.close()
    (project / "models" / "newcomers.sql").write_text(NEW)
    address = f"http://{warehouse.host}:{warehouse.port}"
    lia = httpx.Client(auth=("lia", added.stdout.strip()), base_url=address, trust_env=False)
    seen: set[str] = set()
    is_over = threading.Event()

    def ask() -> str:
        try:
            return lia.post("/", content="SELECT user_id FROM analytics.newcomers ORDER BY 1").text
        except httpx.TransportError:  # the server is being started again
            return ""

    def look() -> None:
        while not is_over.wait(0.02):
            seen.add(ask())

    looking = threading.Thread(target=look)
    looking.start()
    try:
        built = footfall("build")
    finally:
        is_over.set()
        looking.join()
        warehouse.close()
    try:
        assert built.returncode == 0, built.stderr
        assert "Analysts of one tenant see the tables that are new" in built.stderr
        assert ask() == "ada\n"
        assert not any("south" in told for told in seen)
        assert any("ACCESS_DENIED" in told or "Not enough privileges" in told for told in seen), seen
        # on a server of one's own each statement counts by itself: a policy comes before what it is for can be read
        statements = list(access_sql.statements(access.users(warehouse.settings)))
        (policy,) = [n for n, said in enumerate(statements) if "POLICY" in said and ".newcomers " in said]
        (grant,) = [n for n, said in enumerate(statements) if said.startswith("GRANT") and ".newcomers " in said]
        assert policy < grant
    finally:
        assert footfall("access", "user", "drop", "lia").returncode == 0
        warehouse.close()
