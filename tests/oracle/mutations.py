"""How much of the SQL the oracle holds: small mistakes put into models and macros, one at a time, and whether it tells.

`python -m tests.oracle.mutations --count 80` draws so many of all mistakes that can be made, builds the story told by
hand (`by_hand.py`) and a few random ones with each, from scratch and then with what comes late on top, and compares
with the oracle (not with dbt's tests, which would catch some as well). A mistake that the database does not run (a
column that is not there) is not counted.
"""

import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click

from tests.exactness.builds import PROJECT, Builder
from tests.exactness.changed_projects import copy_of
from tests.exactness.stories import File, story
from tests.oracle.by_hand import FIRST, THEN
from tests.oracle.comparison import differences
from warehouse.connection import connect
from warehouse.ports import free_ports
from warehouse.settings import Settings

# Macros that make no table's rows.
NOT_MUTATED = {"persist_docs.sql", "generate_schema_name.sql", "tests_of_this_build.sql"}
# Random stories beside the one told by hand, each in tenants of its own.
RANDOM_STORIES = (2, 38)


@dataclass(frozen=True)
class Mutant:
    """One mistake: the text of a file from `start` to `end` becomes `others`."""

    file: Path  # in the project
    kind: str
    start: int
    end: int
    others: str

    def put_into(self, text: str) -> str:
        """The file's text with the mistake."""
        return text[: self.start] + self.others + text[self.end :]

    def told(self, text: str) -> str:
        """The mistake for people."""
        line = text.count("\n", 0, self.start) + 1
        was = " ".join(text[self.start : self.end].split())
        return f"{self.kind}: {self.file.name}:{line}: {was!r} becomes {self.others.strip()!r}"


# What a kind of mistake looks for, and what it makes of it.
Rule = tuple[str, str, Callable[[re.Match[str]], str]]

_FLIPPED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "=": "!=", "!=": "="}
_OTHER_END = {"min": "max", "max": "min", "argMin": "argMax", "argMax": "argMin"}
_COLUMN = r"(?:[\w.]+\.)?tenant_id"


def _scrambled(found: re.Match[str]) -> str:
    return f"toString(cityHash64({found[0]}))"


RULES: list[Rule] = [
    ("comparison", r"(?<= )(<=|>=|<|>|!=|=)(?= )", lambda found: _FLIPPED[found[1]]),
    ("other end", r"\b(min|max|argMin|argMax)(?=(?:If)?\()", lambda found: _OTHER_END[found[1]]),
    # tenants: of a join, of a partition, of a list of keys
    ("tenant", rf"{_COLUMN} = {_COLUMN}\s+and\s+", lambda _: ""),
    ("tenant", rf"\s+and {_COLUMN} = {_COLUMN}(?=\s)", lambda _: ""),
    ("tenant", rf"(?<=by ){_COLUMN}, ", lambda _: ""),
    ("tenant", r"(?<=\[)'tenant_id', (?=')", lambda _: ""),
    (
        "tenant",
        rf"\({_COLUMN}, ([^()]+)\)( not)? in \((\s*)select {_COLUMN}, ",
        lambda found: f"({found[1]}){found[2] or ''} in ({found[3]}select ",
    ),
    # ties: broken in another way, or not at all
    ("tie", r"(?<=session_start, )session_(?:id|key)(?=[)\n])", _scrambled),
    ("tie", r"(?<=\}\}, )(?:links\.other_id|distinct_id)(?=\)\))", _scrambled),
    ("tie", r"(?<=')events\.event_id(?='\))", _scrambled),
    ("tie", r"(?<=events ~ ')\.event_id(?='\))", lambda _: ".event || '"),
    ("tie", r", path\[1\]\.\d(?=\)|,)", lambda _: ""),
    ("tie", r", (?:-?(?:toInt64\()?(?:\w+\.)?line\)?)(?=\) as (?:rank|place))", lambda _: ""),
    ("tie", r"line desc", lambda _: "line"),
    # conditions
    ("condition", r"(?<=\n)[ ]+(?:and|or) [^\n]*\n", lambda _: ""),
    ("condition", r"(?<=where )[^\n(]+(?=\n)", lambda _: "1"),
    ("condition", r"(?<=\n)[ ]*having [^\n]*\n", lambda _: ""),
]
# Not SQL: comments, what Jinja does, how a model is stored.
_MASKED = re.compile(
    r"--[^\n]*|\{#.*?#\}|\{%(?!-? *(?:do|set \w+ =) *(?:follow|only_changed)).*?%\}|\{\{-? *config\(.*?\) *-?\}\}", re.S
)


def mutants(project: Path) -> list[Mutant]:
    """All mistakes that can be made in the models and macros."""
    files = sorted((project / "models").rglob("*.sql")) + sorted((project / "macros").glob("*.sql"))
    return [mutant for file in files if file.name not in NOT_MUTATED for mutant in _of_file(project, file)]


def _of_file(project: Path, file: Path) -> Iterator[Mutant]:
    text = file.read_text()
    plain = _MASKED.sub(lambda found: re.sub(r"[^\n]", "\0", found[0]), text)
    for kind, pattern, others in RULES:
        for found in re.finditer(pattern, plain):
            whole = found[0]
            balanced = whole.count("(") == whole.count(")") and whole.count("{{") == whole.count("}}")
            if "\0" not in whole and balanced and not _is_key_of_a_join(kind, plain, found):
                yield Mutant(file.relative_to(project), kind, found.start(), found.end(), others(found))


def _is_key_of_a_join(kind: str, text: str, found: re.Match[str]) -> bool:
    """Whether it is a key of a join (it could be no other, or is a tenant's and counts as that), or no comparison."""
    line = text[text.rfind("\n", 0, found.start()) + 1 : text.find("\n", found.end())]
    if line.strip().startswith("{%") and kind == "comparison":
        return True
    return (
        kind == "comparison"
        and found[0] == "="
        and (" on " in line or re.search(r"\w\.\w+ = \w+\.\w", line) is not None)
    )


def stories() -> tuple[list[File], list[File], list[str]]:
    """What is loaded first, what comes late, and the names of files that are then withdrawn."""
    first, late = list(FIRST), list(THEN)
    withdrawn = ["returns.ndjson"]
    for seed in RANDOM_STORIES:
        *chapters, last = story(seed, 3)
        for chapter in chapters:
            first += [_apart(file, seed) for file in chapter.files]
        late += [_apart(file, seed) for file in last.files]
    return first, late, withdrawn


def _apart(file: File, seed: int) -> File:
    """A file of a random story in tenants of its own. What it says for all tenants holds in one of them."""
    rows = [row | {"tenant_id": f"{row.get('tenant_id') or 'bakery'} {seed}"} for row in file.rows]
    return replace(file, name=f"{seed} {file.name}", rows=rows)


class Laboratory:
    """A warehouse in which the first chapter is published as the project says; mistakes are tried in it one by one."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        first, late, withdrawn = stories()
        for file in first:
            builder.load(file)
        builder.build(test=False)
        self.differences_at_first = differences(builder)
        self._first = self._snapshot("first")
        for file in late:
            builder.load(file)
        for name in withdrawn:
            builder.withdraw(name)
        builder.build(publish=False, test=False)
        self.differences_with_late = differences(builder, builder.warehouse.settings.next_database)
        self._late = self._snapshot("late")
        self._go_to(self._first)

    def close(self) -> None:
        """Drop what was kept."""
        with self._builder.warehouse.client() as client:
            for copy, _ in (self._first, self._late):
                client.command("DROP DATABASE {copy:Identifier} SYNC", parameters={"copy": copy})

    def outcome(self, mutant: Mutant) -> str:
        """`caught`, `caught late` (by what is built on top), `survived`, or `no SQL` if the mistake does not run."""
        with self._made(mutant):
            plan = self._builder.begin()
            # what is rebuilt, and the feeds that it reads: they are no part of a candidate that is begun
            feeds = [f"+{model},changed_*" for model in plan.rebuild]
            if not self._runs("--select", "path:models/staging", "int_build_range", *plan.rebuild, *feeds):
                return "no SQL"
            if self._differs():
                return "caught"
        self._go_to(self._late)
        try:
            # planned without the mistake: what it is in is not rebuilt, but takes in what is new
            self._builder.begin()
            with self._made(mutant):
                return "caught late" if not self._runs() or self._differs() else "survived"
        finally:
            self._go_to(self._first)

    @contextmanager
    def _made(self, mutant: Mutant) -> Iterator[None]:
        file = self._builder.project / mutant.file
        text = file.read_text()
        file.write_text(mutant.put_into(text))
        try:
            yield
        finally:
            file.write_text(text)

    def _runs(self, *options: str) -> bool:
        try:
            self._builder.run(options)
        except AssertionError:
            return False
        return True

    def _differs(self) -> bool:
        return bool(differences(self._builder, self._builder.warehouse.settings.next_database))

    def _snapshot(self, name: str) -> tuple[str, dict[str, File]]:
        """Keep what the raw tables hold and which files stand."""
        raw = self._builder.warehouse.settings.raw_database
        copy = f"{raw}_{name}"
        with self._builder.warehouse.client() as client:
            client.command("CREATE DATABASE {copy:Identifier}", parameters={"copy": copy})
            for table in self._raw_tables():
                names = {"copy": copy, "raw": raw, "table": table}
                client.command(
                    "CREATE TABLE {copy:Identifier}.{table:Identifier} ENGINE = Log"
                    " AS SELECT * FROM {raw:Identifier}.{table:Identifier}",
                    parameters=names,
                )
        return copy, dict(self._builder.standing)

    def _go_to(self, snapshot: tuple[str, dict[str, File]]) -> None:
        """Make the raw tables what they were."""
        copy, standing = snapshot
        with self._builder.warehouse.client() as client:
            for table in self._raw_tables():
                names = {"copy": copy, "raw": self._builder.warehouse.settings.raw_database, "table": table}
                client.command("TRUNCATE TABLE {raw:Identifier}.{table:Identifier} SYNC", parameters=names)
                client.command(
                    "INSERT INTO {raw:Identifier}.{table:Identifier}"
                    " SELECT * FROM {copy:Identifier}.{table:Identifier}",
                    parameters=names,
                )
        self._builder.standing = dict(standing)

    def _raw_tables(self) -> list[str]:
        with self._builder.warehouse.client() as client:
            rows = client.query(
                "SELECT name FROM system.tables WHERE database = {raw:String} AND engine LIKE '%MergeTree'",
                parameters={"raw": self._builder.warehouse.settings.raw_database},
            ).result_rows
        return [name for (name,) in rows]


def drawn(all_mutants: list[Mutant], count: int, seed: int, tenants: int) -> list[Mutant]:
    """That many mistakes of all kinds, and of those that drop a tenant so many more."""
    rng = random.Random(seed)
    shuffled = rng.sample(all_mutants, k=len(all_mutants))
    first, rest = shuffled[:count], shuffled[count:]
    return first + [mutant for mutant in rest if mutant.kind == "tenant"][:tenants]


@click.command()
@click.option("--count", default=60, help="How many mistakes, of all that can be made.")
@click.option("--tenants", default=20, help="How many more of those that drop a tenant.")
@click.option("--seed", default=1, help="Which ones.")
@click.option("--file", "only", default="", help="Only in files with this in their name.")
def main(count: int, tenants: int, seed: int, only: str) -> None:
    """Try mistakes on a warehouse of their own; some half a minute each."""
    http_port, tcp_port, ui_port = free_ports(3)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        settings = Settings(
            home=home / "home", host=None, http_port=http_port, tcp_port=tcp_port, ui_port=ui_port
        )  # fmt: skip
        project = copy_of(PROJECT, home / "project")  # may go on changing while this runs
        with connect(settings) as warehouse:
            laboratory = Laboratory(Builder(warehouse, home / "files", project))
            before = laboratory.differences_at_first + laboratory.differences_with_late
            assert not before, "\n".join(before)
            found = [mutant for mutant in mutants(project) if only in mutant.file.name]
            outcomes: Counter[tuple[str, str]] = Counter()
            for mutant in drawn(found, count, seed, tenants):
                started = time.monotonic()
                outcome = laboratory.outcome(mutant)
                outcomes[mutant.kind, outcome] += 1
                told = mutant.told((project / mutant.file).read_text())
                click.echo(f"{outcome:12} {time.monotonic() - started:4.0f} s  {told}")
    click.echo(_summary(outcomes, len(found)))


def _summary(outcomes: Counter[tuple[str, str]], possible: int) -> str:
    lines = [f"{sum(outcomes.values())} of {possible} mistakes that can be made."]
    for kind in sorted({kind for kind, _ in outcomes}):
        caught = outcomes[kind, "caught"] + outcomes[kind, "caught late"]
        ran = caught + outcomes[kind, "survived"]
        lines.append(f"{kind:12} {caught} of {ran} caught, {outcomes[kind, 'no SQL']} do not run")
    caught = sum(count for (_, outcome), count in outcomes.items() if outcome.startswith("caught"))
    ran = caught + sum(count for (_, outcome), count in outcomes.items() if outcome == "survived")
    return "\n".join([*lines, f"{'all':12} {caught} of {ran} caught ({caught / max(ran, 1):.0%})"])


if __name__ == "__main__":
    main()
