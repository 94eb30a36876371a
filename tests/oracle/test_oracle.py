"""The tables are what the rules say: of the story told by hand, built at once and with what comes late on top.

The random stories of `tests/exactness` are compared with the oracle as well.
"""

from collections.abc import Iterator

import pytest

from tests.exactness.builds import PROJECT, Builder
from tests.exactness.changed_projects import copy_of
from tests.oracle.mutations import Laboratory, mutants
from warehouse.connection import Warehouse

pytestmark = [pytest.mark.slow, pytest.mark.timeout(540)]


@pytest.fixture(scope="module")
def laboratory(shared_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """The story told; mistakes can be made in the project that it was built with."""
    folder = tmp_path_factory.mktemp("oracle")
    laboratory = Laboratory(Builder(shared_warehouse, folder / "files", copy_of(PROJECT, folder / "project")))
    yield laboratory
    laboratory.close()


def test_what_is_built_at_once_is_what_the_rules_say(laboratory: Laboratory) -> None:
    assert laboratory.differences_at_first == []


def test_what_is_built_on_top_is_what_the_rules_say(laboratory: Laboratory) -> None:
    assert laboratory.differences_with_late == []


# One of some kinds; `python -m tests.oracle.mutations` tries many more.
@pytest.mark.parametrize(
    "file, mistake",
    [
        ("marts/people/users.sql", "'people.tenant_id = touches.tenant_id and' becomes ''"),
        ("marts/sessions/sessions.sql", "'<' becomes '<='"),
        ("marts/attribution/user_attribution.sql", "'argMin' becomes 'argMax'"),
    ],
)
def test_a_mistake_in_the_sql_is_told(laboratory: Laboratory, file: str, mistake: str) -> None:
    path = PROJECT / "models" / file
    made = next(m for m in mutants(PROJECT) if PROJECT / m.file == path and m.told(path.read_text()).endswith(mistake))
    assert laboratory.outcome(made) == "caught"
