"""The parsed project that webserver, daemon and commands share."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from orchestration.project import environment, manifest
from warehouse.settings import Settings

PRINT_MANIFEST = (
    "from orchestration.project import manifest, project_dir; from warehouse.settings import get_settings; "
    "print(manifest(get_settings(), project_dir()))"
)


def test_processes_that_need_the_manifest_at_once_parse_it_once_and_whole(project: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    variables = {**environment(Settings(home=home, host=None), project), "FOOTFALL_DBT_PROJECT_DIR": str(project)}
    waiting = [
        subprocess.Popen(
            [sys.executable, "-c", PRINT_MANIFEST], env=variables, stdout=subprocess.PIPE, text=True,
            cwd=Path(__file__).parents[2],
        )
        for _ in range(4)
    ]  # fmt: skip
    said = {process.communicate(timeout=120)[0] for process in waiting}
    assert [process.returncode for process in waiting] == [0, 0, 0, 0]
    (path,) = said
    assert "model.footfall.people" in orjson.loads(Path(path.strip()).read_bytes())["nodes"]
    parses = (home / "dbt" / "logs" / "dbt.log").read_text().count("Running with dbt=")
    assert parses == 1


# What somebody may have set for other dbt projects; any of these would have changed or broken a build.
OF_OTHER_PROJECTS = {
    "DBT_TARGET": "prod", "DBT_PROFILE": "jaffle_shop", "DBT_PROFILES_DIR": "/nowhere", "DBT_PROJECT_DIR": "/nowhere",
    "DBT_TARGET_PATH": "/nowhere", "DBT_LOG_PATH": "/nowhere", "DBT_EMPTY": "true", "DBT_FULL_REFRESH": "true",
    "DBT_FAIL_FAST": "true", "DBT_WRITE_JSON": "false", "DBT_STATE": "/nowhere", "DBT_ENGINE_DEFER": "true",
}  # fmt: skip


def test_variables_of_other_dbt_projects_do_not_reach_ours(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path / "home", host=None)
    ours = environment(settings, project)
    for name, value in OF_OTHER_PROJECTS.items():
        monkeypatch.setenv(name, value)
    assert environment(settings, project) == ours
    assert "model.footfall.people" in orjson.loads(manifest(settings, project).read_bytes())["nodes"]


def test_a_log_level_and_what_models_ask_for_reach_dbt(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed_on = {"DBT_LOG_LEVEL_FILE": "debug", "DBT_ENV_SECRET_TOKEN": "t", "CLICKHOUSE_HOST": "there"}
    for name, value in passed_on.items():
        monkeypatch.setenv(name, value)
    assert environment(Settings(home=tmp_path, host=None), project).items() >= passed_on.items()
