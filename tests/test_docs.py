"""What README and docs name exists: files, headings, commands and their options, targets of make."""

import re
from pathlib import Path

import click
import pytest

from cli.main import cli
from tests.cli.conftest import ROOT

_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


# Files of the local warehouse, whose folder in FOOTFALL_HOME has the name of a package.
IN_THE_HOME = {"warehouse/data", "warehouse/password", "warehouse/server.log"}
PAGES = sorted(page for folder in (".", "docs", "deploy", "benchmarks") for page in (ROOT / folder).glob("*.md"))


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", _FENCE.sub("", page.read_text(encoding="utf-8"))):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_and_folders_that_a_page_names_exist(page: Path) -> None:
    top = (
        "cli|dbt_project|deploy|docs|expectations|ingest|orchestration|privacy|reporting|sample|serving|tests|warehouse"
        "|benchmarks"
    )
    named = re.findall(rf"`((?:{top})/[\w./-]*)`", page.read_text(encoding="utf-8"))
    missing = [name for name in named if not (ROOT / name).exists() and name not in IN_THE_HOME]
    assert missing == []


def test_commands_and_options_in_the_pages_exist() -> None:
    wrong = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for line in re.findall(r"(?:^|`|&& |exec code )footfall ([^`\n#|]*)", text, re.MULTILINE):
            if problem := problem_of(line.split()):
                wrong.append(f"{page.name}: footfall {line}: {problem}")
    assert wrong == []


def problem_of(words: list[str]) -> str | None:
    """Why the command line does not know these words; None if it does."""
    command: click.Command = cli
    while isinstance(command, click.Group) and words and re.fullmatch(r"[a-z][a-z-]*", words[0]):
        found = command.commands.get(words[0])
        if found is None:
            return f"there is no command {words[0]!r}"
        command, words = found, words[1:]
    if command.name == "dbt":
        return None  # dbt's own options
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in options | {"--help"}]
    return f"there is no {', '.join(unknown)}" if unknown else None


def test_targets_of_make_in_the_pages_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        target
        for page in PAGES
        for target in re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert named
    assert named <= targets
