"""The dbt project as files: where it is, where its artifacts go, and its manifest.

Knows no Dagster, so that the command line can ask "is there anything to build?" at once.
"""

import fcntl
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from warehouse.errors import FootfallError
from warehouse.settings import Settings

# What dbt makes itself.
_GENERATED = {"target", "logs", "dbt_packages", ".user.yml"}
# What editors and file managers leave beside the files: .DS_Store, .users.sql.swp, users.sql~, #users.sql#.
_LEFT_BEHIND = re.compile(r"[.#]|.*~$")
# Of dbt's variables those that reach ours: the log level, as docs/operations.md says, and those that mean something to
# none but the models that ask for them.
_PASSED_ON = re.compile("DBT_LOG_LEVEL_FILE$|DBT_ENV_")
# So many states of the project stay parsed, for those who go back and forth between branches.
_KEPT = 5


def project_dir() -> Path:
    """The dbt project: FOOTFALL_DBT_PROJECT_DIR (for a project of your own), else the one beside this package."""
    return Path(os.environ.get("FOOTFALL_DBT_PROJECT_DIR") or Path(__file__).parents[1] / "dbt_project").absolute()


def artifacts_dir(settings: Settings) -> Path:
    """Where dbt's target and logs go: under the home, never into the project."""
    return settings.home / "dbt"


def manifest(settings: Settings, project: Path) -> Path:
    """The project's manifest.json, parsed again only if the project is in none of the latest states that were parsed.

    Raises FootfallError with dbt's own words if the project does not parse.
    """
    folder = artifacts_dir(settings) / "manifests"
    kept = folder / f"{_fingerprint(project)}.json"
    if kept.exists():
        return kept
    folder.mkdir(parents=True, exist_ok=True)
    # Webserver, daemon and command line come here at once after a change; two parses would write the same files.
    with (folder / "parsing.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Somebody may have parsed it meanwhile; and files may change while dbt reads them: that is no state to keep.
        while not (kept := folder / f"{_fingerprint(project)}.json").exists():
            parsed = _parse(settings, project)
            if kept.stem == _fingerprint(project):
                parsed.replace(kept)
        by_age = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
        for outdated in set(by_age[:-_KEPT]) - {kept}:
            outdated.unlink()
    return kept


def _fingerprint(project: Path) -> str:
    """Of all files of the project that a person wrote."""
    files = (path for entry in sorted(project.iterdir()) if entry.name not in _GENERATED for path in _files(entry))
    digest = hashlib.sha256()
    for file in files:
        body = file.read_bytes()
        digest.update(f"{file.relative_to(project)}\0{len(body)}\0".encode())
        digest.update(body)
    return digest.hexdigest()[:32]


def _parse(settings: Settings, project: Path) -> Path:
    """Let dbt parse the project; the path of the manifest it wrote."""
    # Not the target of the builds: they parse with another profile, and each would undo the other's partial parse.
    target = artifacts_dir(settings) / "parsed"
    parse = subprocess.run(
        [*dbt_command(), "--quiet", "parse"],
        env={
            # Parsing opens no connection, but the profile wants a host.
            "CLICKHOUSE_HOST": "127.0.0.1",
            **environment(settings, project),
            "DBT_TARGET_PATH": str(target),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if parse.returncode != 0:
        raise FootfallError(
            f"The dbt project in {project} does not parse:\n{(parse.stdout or parse.stderr).strip()}",
            "Fix it and try again.",
        )
    return target / "manifest.json"


def environment(settings: Settings, project: Path, connection: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of every dbt process of ours: this process's own, with the warehouse's `connection`.

    dbt takes its options from variables DBT_… as well. Those that somebody has set for other projects (a target, a
    profile, "no rows please") stay outside.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("DBT_") or _PASSED_ON.match(name)}
    return {
        **own,
        **(connection or {}),
        "DBT_PROJECT_DIR": str(project),
        "DBT_PROFILES_DIR": str(project),
        "DBT_TARGET_PATH": str(artifacts_dir(settings) / "target"),
        "DBT_LOG_PATH": str(artifacts_dir(settings) / "logs"),
        # dbt's own default, debug, writes megabytes a build and takes a fifth of dbt's time. Whoever wants it sets this
        # variable, or says `footfall dbt --log-level-file debug …`.
        "DBT_LOG_LEVEL_FILE": own.get("DBT_LOG_LEVEL_FILE", "info"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_VERSION_CHECK": "false",
        "FOOTFALL_HOME": str(settings.home),
        "FOOTFALL_RAW_DATABASE": settings.raw_database,
        "FOOTFALL_DATABASE": settings.database,
        "FOOTFALL_DBT_PARENT": str(os.getpid()),
    }


def dbt_command() -> list[str]:
    """How to start dbt, to be followed by its arguments: the dbt of this Python, in a process that dies with ours."""
    return [sys.executable, "-P", str(Path(__file__).with_name("dbt_process.py"))]


def _files(path: Path) -> Iterator[Path]:
    found = sorted(path.rglob("*")) if path.is_dir() else [path]
    yield from (file for file in found if file.is_file() and not _LEFT_BEHIND.match(file.name))
