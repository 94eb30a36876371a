"""What each table and view of the dbt project is made of, part by part: which of them would differ if built again.

Knows the parsed project (dbt's manifest) and its files, neither Dagster nor a warehouse.
"""

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson

Node = Mapping[str, Any]

# dbt's own macros: the version of the adapter covers them.
_BUILT_IN = {"dbt", "dbt_clickhouse"}
# Macros that replace one of dbt's own count for every model, but for this one, which only tests use.
_OF_TESTS = {"get_where_subquery"}
# What a configuration says for people, for tests, or for a change of columns, which here is a rebuild anyway.
_NO_MEANING = {
    "access", "alias", "batch_size", "begin", "concurrent_batches", "contract", "database", "description", "docs",
    "enabled", "event_time", "freshness", "full_refresh", "grants", "group", "lookback", "meta", "name",
    "on_configuration_change", "on_schema_change", "packages", "persist_docs", "quoting", "schema", "static_analysis",
    "tags",
}  # fmt: skip
# The same of a column.
_PROSE = {"config", "data_tests", "description", "doc_blocks", "docs", "granularity", "meta", "name", "tags", "tests"}
# Settings of the profile that say how a query runs, not what it gives.
_HOW_IT_RUNS = re.compile(r"(max|min|log)_|.*(_sync|_timeout|_threads)$|enable_materialized_cte$")
# SQL or Jinja: what is dropped (comments, white space), and tokens. A comment with Jinja in it is kept: it is run.
_TOKEN = re.compile(
    r"""\{\#.*?\#\}|--(?:(?!\{[{%])[^\n])*(?:\n|$)|/\*(?:(?!\{[{%]).)*?\*/|\s+"""
    r"""|('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`|\w+|.)""",
    re.DOTALL,
)
_VAR = re.compile(r"""\bvar \( (?:'([^']*)'|"([^"]*)")""")
_ANY_VAR = re.compile(r"\bvar \(")
_BEFORE = re.compile(r"""\bbefore \( ['"](\w+)['"]""")


@dataclass(frozen=True)
class Model:
    """A table, view or seed of the project.

    `parts` has a fingerprint of each thing it is made of, by a name that people understand ("SQL", "macro channel").
    `reads` names the models it selects from, `reads_before` those of which it reads the rows of the build before. If
    this one is built from nothing, those in `rebuilt_with` must be, too: it takes its rows from them.
    """

    parts: Mapping[str, str]
    reads: frozenset[str] = frozenset()
    reads_before: frozenset[str] = frozenset()
    rebuilt_with: frozenset[str] = frozenset()


def read_models(manifest: Path, project: Path) -> dict[str, Model]:
    """The models of a parsed project, by the name of their table; `manifest` is the project's manifest.json."""
    parsed = orjson.loads(manifest.read_bytes())
    nodes = {key: node for key, node in parsed["nodes"].items() if node["resource_type"] in _TABLES}
    macros = _Macros(parsed["macros"])
    variables = _variables(project, parsed["metadata"]["project_name"])
    return {
        node["alias"]: _model(node, nodes, parsed["sources"], macros, variables, project) for node in nodes.values()
    }


def read_environment(project: Path, server_version: str) -> dict[str, str]:
    """What holds for all models alike: the major versions of the database and of dbt's adapter, the profile's settings.

    Settings that only say how a query runs (memory, threads, waiting) are left out.
    """
    import yaml

    profiles = yaml.safe_load((project / "profiles.yml").read_bytes())
    outputs = [
        output
        for name, profile in profiles.items()
        if name != "config"
        for output in profile.get("outputs", {}).values()
    ]
    settings = {
        name: str(value)
        for output in outputs
        for name, value in (output.get("custom_settings") or {}).items()
        if not _HOW_IT_RUNS.match(name)
    }
    return {
        "ClickHouse's version": server_version.partition(".")[0],
        "dbt-clickhouse's version": metadata.version("dbt-clickhouse").partition(".")[0],
        **{f"the setting {name}": value for name, value in settings.items()},
    }


def fingerprint(content: str | bytes) -> str:
    """A short one, of text or bytes."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()[:16]


_TABLES = {"model", "seed", "snapshot"}


class _Macros:
    """The project's own macros, and those of packages it has installed."""

    def __init__(self, macros: Mapping[str, Node]) -> None:
        self._all = macros
        self._own = {key for key, macro in macros.items() if macro["package_name"] not in _BUILT_IN}
        built_in = {macro["name"] for key, macro in macros.items() if key not in self._own}
        self._everywhere = {
            key for key in self._own if macros[key]["name"] in built_in and macros[key]["name"] not in _OF_TESTS
        }

    def used_by(self, node: Node) -> dict[str, str]:
        """The code of every macro that the node calls, or that one of those calls, by name."""
        found: set[str] = set()
        waiting = {*node["depends_on"]["macros"], *self._everywhere}
        while waiting:
            key = waiting.pop()
            if key in self._own and key not in found:
                found.add(key)
                waiting.update(self._all[key]["depends_on"]["macros"])
        return {self._all[key]["name"]: plain(self._all[key]["macro_sql"]) for key in found}


def _model(
    node: Node,
    nodes: Mapping[str, Node],
    sources: Mapping[str, Node],
    macros: _Macros,
    variables: Mapping[str, Any],
    project: Path,
) -> Model:
    config = node["config"]
    upstream = node["depends_on"].get("nodes", [])
    if node["resource_type"] == "seed":
        code, used = "", {}
        # The project may lie elsewhere than where it was parsed; packages lie where they were installed.
        root = project if (project / node["original_file_path"]).exists() else Path(node["root_path"])
        own = {"data": fingerprint((root / node["original_file_path"]).read_bytes())}
    else:
        code, used = plain(node["raw_code"]), macros.used_by(node)
        own = {"SQL": fingerprint(code)}
    hooks = {key: [plain(hook["sql"]) for hook in config[key]] for key in ("pre-hook", "post-hook")}
    text = " ".join([code, *used.values(), *hooks["pre-hook"], *hooks["post-hook"]])
    parts = {
        **own,
        **{f"macro {name}": fingerprint(body) for name, body in used.items()},
        **{f"var {name}": _of(variables[name]) for name in _used_variables(text, variables)},
        **{key: _of(value) for key, value in (config | hooks).items() if value and key not in _NO_MEANING},
        **{f"source {key.split('.', 2)[2]}": _of(sources[key]["identifier"]) for key in upstream if key in sources},
        **_columns(node),
    }
    return Model(
        parts=parts,
        reads=frozenset(nodes[key]["alias"] for key in upstream if key in nodes),
        reads_before=frozenset(_BEFORE.findall(text)),
        rebuilt_with=frozenset(config.get("meta", {}).get("rebuilt_with", [])),
    )


def plain(code: str) -> str:
    """Code without comments and white space that says nothing."""
    return " ".join(token for token in _TOKEN.findall(code) if token)


def _of(value: Any) -> str:
    return fingerprint(orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str))


def _columns(node: Node) -> dict[str, str]:
    """With a contract the columns as it lists them; without one only what says how a column is stored."""
    is_contract = node["config"]["contract"]["enforced"]
    meant = [
        [column["name"], {key: value for key, value in column.items() if value and key not in _PROSE}]
        for column in node["columns"].values()
    ]
    listed = meant if is_contract else sorted(column for column in meant if column[1])
    return {"columns": _of(listed)} if listed else {}


def _used_variables(text: str, variables: Collection[str]) -> Iterator[str]:
    """The vars that code asks for; all of them if it asks for one by a name that only dbt can work out."""
    asked = [one or other for one, other in _VAR.findall(text)]
    if len(asked) < len(_ANY_VAR.findall(text)):
        yield from variables
    else:
        yield from sorted(set(asked) & set(variables))


def _variables(project: Path, name: str) -> dict[str, Any]:
    import yaml

    given = yaml.safe_load((project / "dbt_project.yml").read_bytes()).get("vars") or {}
    everywhere = {key: value for key, value in given.items() if not isinstance(value, dict)}
    return everywhere | (given.get(name) or {})


def changed_parts(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The names of the parts that differ, came or went."""
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def rebuilt(changed: Mapping[str, str], models: Mapping[str, Model]) -> dict[str, str]:
    """All that is built from nothing if `changed` (name to reason) is: that and what follows from it, with reasons."""
    followers: dict[str, set[str]] = {name: set(model.rebuilt_with) for name, model in models.items()}
    for name, model in models.items():
        for read in model.reads:
            followers[read].add(name)
    found = dict(changed)
    waiting = [(name, name) for name in changed]
    while waiting:
        name, cause = waiting.pop(0)
        for other in sorted(followers.get(name, set()) - found.keys()):
            found[other] = f"follows from {cause}"
            waiting.append((other, cause))
    return found
