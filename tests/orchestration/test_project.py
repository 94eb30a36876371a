"""The parsed project that webserver, daemon and commands share."""

import subprocess
import sys
from pathlib import Path

import orjson

from orchestration.project import environment
from warehouse.settings import Settings

PRINT_MANIFEST = (
    "from orchestration.project import manifest, project_dir; from warehouse.settings import get_settings; "
    "print(manifest(get_settings(), project_dir()))"
)


def test_processes_that_need_the_manifest_at_once_parse_it_once_and_whole(project: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    variables = {**environment(Settings(home=home, host=None)), "FOOTFALL_DBT_PROJECT_DIR": str(project)}
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
