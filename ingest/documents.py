"""The JSON texts that the paths of a contract lead through, as expressions of SQL: each is parsed once."""

from collections.abc import Iterable, Sequence
from string import Template

from ingest import paths
from ingest.sql_files import sql_file

# Of a statement, by their names.
Parameters = dict[str, str | list[str]]


class Documents:
    """Every JSON text that paths lead through, parsed once: the row itself, and texts inside it that are documents too.

    A document becomes a tuple of those of its members that are asked for, or a list, or a map from names to values.
    """

    def __init__(self, all_paths: Iterable[paths.Path], each: str) -> None:
        self.parameters: Parameters = {}
        self.expressions: list[str] = []
        self._places: dict[paths.Path, str] = {(): "readable"}
        self._each = paths.parsed(each) if each else None
        self._parse((), sorted(set(all_paths), key=str))

    def has(self, path: paths.Path) -> bool:
        """Whether the path is among those that are read."""
        return path in self._places

    def text(self, path: paths.Path) -> str:
        """The expression for the text at a path, '' where there is none."""
        return self._places[path]

    def _parse(self, above: paths.Path, below: Sequence[paths.Path]) -> None:
        """Bind the document at a path to a name, then those inside it."""
        depth = len(above)
        steps = list(dict.fromkeys(path[depth] for path in below if len(path) > depth))
        if not steps:
            return
        text, number = self._places[above], len(self.expressions)
        keys = [step for step in steps if isinstance(step, str)]
        if keys:
            name = f"document_{number}"
            self.parameters[name] = _tuple_type(keys)
            self.expressions.append(f"JSONExtract({text}, {{{name}:String}}) AS {name}")
            for place, key in enumerate(keys, start=1):
                self._places[(*above, key)] = f"{name}.{place}"
        if any(isinstance(step, paths.Place) for step in steps):
            self.expressions.append(f"JSONExtract({text}, 'Array(String)') AS list_{number}")
        if any(isinstance(step, paths.Named) for step in steps):
            self.expressions.append(f"{Template(sql_file('pairs')).substitute(text=text)} AS pairs_{number}")
        for step in steps:
            if isinstance(step, paths.Place):
                self._places[(*above, step)] = f"list_{number}[{step.index + 1}]"
            elif isinstance(step, paths.Named):
                parameter = f"name_{len(self.parameters)}"
                self.parameters[parameter] = step.name
                self._places[(*above, step)] = f"pairs_{number}[{{{parameter}:String}}]"
            path = (*above, step)
            if path == self._each:
                self._places[path] = "element"
            self._parse(path, [one for one in below if one[: depth + 1] == path])


def _tuple_type(names: Sequence[str]) -> str:
    """The type a document is parsed into: `Tuple(name String, …)`, names quoted; for a parameter, not for SQL text."""
    quoted = (name.replace("\\", "\\\\").replace("`", "\\`") for name in names)
    return "Tuple(" + ", ".join(f"`{name}` String" for name in quoted) + ")"
