"""What the code imports is asked for by name: nothing is there only because something else happens to need it."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = sorted({path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"})


def required(*files: str) -> set[str]:
    """The distributions that requirements files name."""
    lines = (line for file in files for line in (ROOT / file).read_text().splitlines())
    found = (re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line) for line in lines)
    return {_normal(match.group()) for match in found if match}


def imported(folder: str) -> set[str]:
    """The top-level modules that are imported in a folder's Python files, our own and Python's aside."""
    names: set[str] = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(str(node.module).partition(".")[0])
    return names - sys.stdlib_module_names - {*PACKAGES, "tests"}


def undeclared(folder: str, declared: set[str]) -> set[str]:
    """The imported modules that no declared distribution brings."""
    distributions = packages_distributions()
    return {
        name
        for name in imported(folder)
        if declared.isdisjoint(_normal(distribution) for distribution in distributions.get(name, []))
    }


@pytest.mark.parametrize("folder", PACKAGES)
def test_what_runs_is_in_requirements_in(folder: str) -> None:
    assert undeclared(folder, required("requirements.in")) == set()


def test_what_develops_is_in_requirements_dev_in() -> None:
    assert undeclared("tests", required("requirements.in", "requirements-dev.in")) == set()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
